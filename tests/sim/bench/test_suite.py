from __future__ import annotations

import json

import pytest

from models.errors import InputError
from sim.bench import suite
from sim.bench.result import Figure, Result

RESULT = Result("fusion", (Figure.of("speed", [1.0, 3.0, 2.0], target=2.5, note="of a bench"),), "its legs.")


def test_all_are_chosen_where_none_is_named():
    assert suite.chosen([]) == suite.NAMES


def test_the_order_is_the_suites():
    assert suite.chosen(["memory", "fusion"]) == ("fusion", "memory")


def test_unknown_names_are_told_with_what_is_allowed():
    with pytest.raises(InputError, match="no such benchmark: speed, sped; allowed: overhead, fusion,"):
        suite.chosen(["speed", "fusion", "sped"])


@pytest.mark.parametrize("name", suite.NAMES)
def test_every_benchmark_says_what_it_is(name):
    benchmark = suite.load(name)
    assert name == benchmark.NAME
    assert benchmark.SUMMARY.endswith(".")


class Fake:
    SUMMARY = "What it measures."

    def __init__(self, name):
        self.NAME = name

    def measure(self, rounds, report, device="auto"):
        report(f"{rounds} rounds on {device}")
        return Result(self.NAME, (), "nothing.")


def test_benchmarks_run_one_after_another_and_are_named_in_their_reports(monkeypatch):
    monkeypatch.setattr(suite, "load", Fake)
    told = []
    results = suite.measured(["fusion", "memory"], 2, "cpu", lambda name, text: told.append((name, text)))
    assert next(results).benchmark == "fusion"
    assert told == [("fusion", "starting"), ("fusion", "2 rounds on cpu")]
    assert [result.benchmark for result in results] == ["memory"]
    assert told[-1] == ("memory", "2 rounds on cpu")


def test_the_file_has_every_round(tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "load", Fake)
    path = tmp_path / "new" / "bench.json"
    suite.write(path, {"cores": 2}, 3, [RESULT])
    figure = {
        "name": "speed",
        "value": 2.0,
        "unit": "x",
        "target": 2.5,
        "better": "higher",
        "rounds": [1.0, 3.0, 2.0],
        "note": "of a bench",
        "met": False,
    }
    assert json.loads(path.read_text()) == {
        "environment": {"cores": 2},
        "rounds": 3,
        "benchmarks": {
            "fusion": {"summary": "What it measures.", "limits": "its legs.", "figures": [figure]}
        },
    }


def test_a_file_that_cannot_be_written_is_a_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another --out"):
        suite.write(tmp_path / "file" / "bench.json", {}, 1, [])
