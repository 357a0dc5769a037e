import csv
import json

import pyarrow.parquet as pq
import pytest
import yaml

from models.errors import InputError
from scenarios import loader
from sim.results import MANIFEST, SCENARIO, SUMMARY, TABLES
from sim.run import Options
from sim.study import Session
from sim.workers import Report

OPTIONS = Options("cpu", allow_code=True, figures=False)


class Seen:
    """Notes what a study tells: the units that end."""

    def __init__(self):
        self.ended_units = []

    def refresh(self):
        pass

    def ended(self, unit):
        self.ended_units.append((unit.title, unit.status))


def pretend(task):
    """Return a run that is done, without making it."""
    return Report(task.content_hash, "done", 2.0, 0.5)


def table(folder):
    with (folder / "runs.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def statuses(session):
    return [unit.status for unit in session.units]


def test_a_study_leaves_a_table_and_ordinary_result_folders(session, inline, tmp_path):
    made = session(seeds=[0, 1], axes=[{"name": "world", "list": {"short": {"duration_s": 1.0}}}])
    made.run(inline(), Seen())
    rows = table(tmp_path / "out")
    assert list(rows[0]) == ["run", "folder", "strategy", "seed", "status", "error", "world"]
    assert [(row["strategy"], row["seed"], row["status"], row["world"]) for row in rows] == [
        ("source", "0", "done", "short"),
        ("source", "1", "done", "short"),
    ]
    for row in rows:
        folder = tmp_path / "out" / row["folder"]
        assert row["folder"] == f"runs/{row['run']}"
        assert {path.name for path in folder.iterdir()} == {SCENARIO, MANIFEST, SUMMARY, *TABLES}
        manifest = json.loads((folder / MANIFEST).read_text())
        assert (manifest["content_hash"][:16], str(manifest["seed"])) == (row["run"], row["seed"])
        assert loader.load(folder / SCENARIO).duration_s == 1.0
    assert made.exit_status() == 0


def test_the_study_is_written_down(session, tmp_path):
    session(seeds=[4], set={"cloud.gflops": 2.0})
    study = yaml.safe_load((tmp_path / "out" / "study.yaml").read_text())
    assert (study["name"], study["seeds"], study["set"]) == ("tiny", [4], {"cloud.gflops": 2.0})


def test_everything_waits_at_first(session, tmp_path):
    session(seeds=[0, 1])
    assert [row["status"] for row in table(tmp_path / "out")] == ["waiting", "waiting"]


def test_nothing_is_computed_twice(session, inline):
    first = inline()
    session(seeds=[0]).run(first, Seen())
    assert len(first.made) == 1
    second, seen = inline(), Seen()
    again = session(seeds=[0, 1])
    assert statuses(again) == ["done", "waiting"]
    again.run(second, seen)
    assert [task.scenario["seed"] for task in second.made] == [1]
    assert seen.ended_units == [("source, seed 1", "done")]


def test_units_with_equal_content_share_a_run(session, inline, tmp_path):
    made = session(axes=[{"name": "a", "list": {"x": {}, "y": {"description": "only told"}}}])
    pool = inline()
    made.run(pool, Seen())
    assert len(pool.made) == 1
    first, second = table(tmp_path / "out")
    assert (first["a"], second["a"]) == ("x", "y")
    assert first["run"] == second["run"]
    assert first["status"] == second["status"] == "done"


def test_studies_share_a_store(plan, inline, tmp_path):
    for name, expected in (("one", 1), ("two", 0)):
        made = Session(plan(name=name), tmp_path / name, tmp_path / "store")
        made.prepare(OPTIONS)
        pool = inline()
        made.run(pool, Seen())
        assert len(pool.made) == expected
        (row,) = table(tmp_path / name)
        assert row["folder"] == f"../store/{row['run']}"
        assert (tmp_path / name / row["folder"] / SUMMARY).is_file()


def test_as_many_runs_as_there_is_room_for(session, inline):
    class Counting(inline):
        most = 0

        def give(self, task):
            super().give(task)
            Counting.most = max(Counting.most, len(self.tasks))

    session(seeds=[0, 1, 2, 3, 4]).run(Counting(pretend, room=3), Seen())
    assert Counting.most == 3


def test_an_interrupted_study_goes_on_where_it_stopped(session, inline, tmp_path, monkeypatch):
    from sim.simulation import Simulation  # noqa: PLC0415

    advance = Simulation.run

    def interrupted(self, report, slices=500):
        def check(progress):
            report(progress)
            if self.scenario.seed == 1 and progress.simulated_s >= 1.0:
                raise KeyboardInterrupt

        advance(self, check, slices)

    def ctrl_c(task):
        report = inline().compute(task)
        if report.status == "interrupted":
            raise KeyboardInterrupt
        return report

    monkeypatch.setattr(Simulation, "run", interrupted)
    made = session(seeds=[0, 1, 2])
    with pytest.raises(KeyboardInterrupt):
        made.run(inline(ctrl_c), Seen())
    rows = table(tmp_path / "out")
    assert [row["status"] for row in rows] == ["done", "interrupted", "waiting"]
    folder = tmp_path / "out" / rows[1]["folder"]
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["status"], manifest["simulated_s"]) == ("interrupted", 1.0)
    assert len(pq.read_table(folder / "batches.parquet")) == 2
    (folder / "left-over.txt").write_text("")

    monkeypatch.setattr(Simulation, "run", advance)
    pool = inline()
    session(seeds=[0, 1, 2]).run(pool, Seen())
    assert [task.scenario["seed"] for task in pool.made] == [1, 2]
    assert [row["status"] for row in table(tmp_path / "out")] == ["done", "done", "done"]
    assert {path.name for path in folder.iterdir()} == {SCENARIO, MANIFEST, SUMMARY, *TABLES}
    assert json.loads((folder / MANIFEST).read_text())["simulated_s"] == 2.0


def test_one_failed_run_harms_no_other(session, inline, tmp_path, monkeypatch):
    from sim.simulation import Simulation  # noqa: PLC0415

    advance = Simulation.run

    def fail(self, report, slices=500):
        advance(self, report, slices)
        if self.scenario.seed == 1:
            raise ZeroDivisionError("on purpose,\nin two lines")

    monkeypatch.setattr(Simulation, "run", fail)
    made, seen = session(seeds=[0, 1, 2]), Seen()
    made.run(inline(), seen)
    rows = table(tmp_path / "out")
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    assert [row["error"] for row in rows] == ["", "ZeroDivisionError: on purpose,; in two lines", ""]
    assert seen.ended_units == [
        ("source, seed 0", "done"),
        ("source, seed 1", "failed"),
        ("source, seed 2", "done"),
    ]
    assert made.exit_status() == 1


def test_the_users_mistake_in_one_run(session, inline, tmp_path):
    made = session(seeds=[0, 1])
    made.run(inline(lambda task: Report(task.content_hash, "failed", error="bad", by_input=True)), Seen())
    assert [(row["status"], row["error"]) for row in table(tmp_path / "out")] == [("failed", "bad")] * 2
    assert made.exit_status() == 2


def test_a_defect_weighs_more_than_a_mistake(session, inline):
    made = session(seeds=[0, 1, 2])

    def compute(task):
        seed = task.scenario["seed"]
        if seed == 0:
            return pretend(task)
        return Report(task.content_hash, "failed", error="oh", by_input=seed == 1)

    made.run(inline(compute), Seen())
    assert statuses(made) == ["done", "failed", "failed"]
    assert made.exit_status() == 1
    assert [unit.seed for unit in made.failed()] == [1, 2]


def test_a_failed_run_is_made_again_by_the_next_study(session, inline):
    session().run(inline(lambda task: Report(task.content_hash, "failed", error="oh")), Seen())
    pool = inline()
    session().run(pool, Seen())
    assert len(pool.made) == 1


MATCHED = {"name": "random_selection", "label": "random", "match": "cema", "batch_size": 4}


def test_a_matched_unit_waits_and_takes_over_the_share(session, inline, tiny, tmp_path):
    strategies = [
        MATCHED | {"label": "fixed", "share": 0.25},
        tiny.cema(criteria={"unreliable": {"share": 1.0}}),
        MATCHED,
    ]
    made, seen = session(strategies=strategies, seeds=[0, 1]), Seen()
    assert [unit.strategy for unit in made.units if unit.run is None] == ["random", "random"]
    assert [row["run"] for row in table(tmp_path / "out")][4:] == ["", ""]
    made.run(inline(room=4), seen)
    assert [title for title, _ in seen.ended_units][-2:] == ["random, seed 0", "random, seed 1"]
    shares = {}
    for row in table(tmp_path / "out"):
        folder = tmp_path / "out" / row["folder"]
        shares[row["strategy"], row["seed"]] = json.loads((folder / SUMMARY).read_text())["upload_share"]
        if row["strategy"] == "random":
            scenario = loader.load(folder / SCENARIO)
            assert scenario.strategy[0].match == "cema"
            assert scenario.strategy[0].share == shares["cema", row["seed"]]
            assert loader.content_hash(scenario)[:16] == row["run"]
    assert set(statuses(made)) == {"done"}


def test_a_matched_unit_is_known_at_once_where_its_partner_is_stored(session, inline, tiny):
    strategies = [tiny.cema(), MATCHED]
    session(strategies=strategies).run(inline(), Seen())
    again = session(strategies=strategies)
    assert statuses(again) == ["done", "done"]


def test_what_matches_a_failed_run_fails_with_its_reason(session, inline, tiny, tmp_path):
    made, seen = session(strategies=[tiny.cema(), MATCHED, "source"]), Seen()

    def compute(task):
        if task.scenario["strategy"][0]["name"] == "cema":
            return Report(task.content_hash, "failed", error="out of paint", by_input=True)
        return pretend(task)

    made.run(inline(compute), seen)
    assert seen.ended_units[1] == ("random, seed 7", "failed")
    assert [(row["status"], row["error"]) for row in table(tmp_path / "out")] == [
        ("failed", "out of paint"),
        ("failed", "the run to match, cema, failed: out of paint"),
        ("done", ""),
    ]
    assert made.exit_status() == 2


def test_code_of_the_scenario_needs_permission(plan, tmp_path):
    made = Session(plan(), tmp_path / "out", tmp_path / "out" / "runs")
    with pytest.raises(InputError, match="--allow-code"):
        made.prepare(Options("cpu"))
    assert not (tmp_path / "out").exists()


def test_another_folder_is_left_alone(session, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="holds something else than a study; choose another --out"):
        session()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_another_study_is_left_alone(session, tmp_path):
    session(name="first")
    with pytest.raises(InputError, match="holds the study 'first'; choose another --out"):
        session(name="second")


def test_a_file_in_the_folders_place(session, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        session()
    assert (tmp_path / "out").read_text() == "a file"
