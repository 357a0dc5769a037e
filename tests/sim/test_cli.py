from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from sim.cli import app, errors
from sim.results import MANIFEST, SCENARIO, SUMMARY, TABLES


def cema(*arguments):
    """Run the command line; returns exit status, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def modules_after(*arguments):
    """Run the command line in a process of its own; returns its exit status and the modules that it imported."""
    program = (
        "import sys; from sim.cli import app\n"
        f"try: app({[str(argument) for argument in arguments]!r})\n"
        "except SystemExit as end: print('\\nMODULES', end.code or 0, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    _, status, *modules = done.stdout.splitlines()[-1].split()
    return int(status), set(modules)


HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "pandas",
    "pyarrow",
    "matplotlib",
    "models.executor",
    "sim.simulation",
}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["list"], ["schema"], ["bench", "--help"]]
)
def test_answers_at_once(arguments):
    status, modules = modules_after(*arguments)
    assert status == 0
    assert "sim.cli" in modules
    assert not modules & HEAVY


def test_validates_at_once_even_cema(tiny):
    status, modules = modules_after("validate", tiny.write("cema.yaml", strategy=tiny.cema()))
    assert status == 0
    assert "models.strategies.cema" in modules
    assert not modules & HEAVY


def test_mistakes_are_found_at_once(tiny):
    status, modules = modules_after("validate", tiny.write("wrong.yaml", duration_s=-1.0))
    assert status == 2
    assert not modules & HEAVY


def test_help_names_the_commands():
    status, out, _ = cema("--help")
    assert status == 0
    for command in ("run", "validate", "schema", "list", "plot", "pretrain", "bench"):
        assert command in out


def test_no_command_shows_the_help():
    _, out, err = cema()
    assert "Usage" in out + err


def test_a_valid_scenario_is_summed_up(tiny):
    strategies = [{"name": "source"}, tiny.cema(label="kind")]
    groups = {"a": tiny.group(count=2), "b": tiny.group()}
    status, out, err = cema("validate", tiny.write("valid.yaml", strategy=strategies, groups=groups))
    assert (status, err) == (0, "")
    assert " ".join(out.split()) == (
        "tiny: valid. Devices: 3, groups: 2, 10 simulated seconds, strategies: source, kind"
    )


def test_what_does_less_than_it_seems_to_is_remarked_on(tiny, tmp_path):
    path = tiny.write(
        "idle.yaml", strategy=tiny.cema(), cloud={"gflops": 1.0, "accelerators": 2}, duration_s=1.0
    )
    remark = "cloud.accelerators: 2: strategy 'cema' has one student"
    status, out, _ = cema("validate", path)
    assert (status, remark in " ".join(out.split())) == (0, True)
    status, out, _ = cema("run", path, "--allow-code", "--out", tmp_path / "out")
    assert (status, " ".join(out.split()).startswith(remark)) == (0, True)


def test_settings_are_checked_too(tiny):
    path = tiny.write("valid.yaml")
    status, out, _ = cema("validate", path, "--set", "groups.cameras.count=5", "--set", "duration_s=2.5")
    assert status == 0
    assert "Devices: 5," in out
    assert "2.5 simulated seconds" in " ".join(out.split())


@pytest.mark.parametrize("command", ["validate", "run"])
def test_every_mistake_is_told_with_file_line_field_and_value(tiny, command):
    path = tiny.write("wrong.yaml", duration_s=-1.0, seed="seven")
    status, out, err = cema(command, path)
    assert (status, out) == (2, "")
    first, second = sorted(err.splitlines(), key=lambda line: "seed" in line)
    for line, field, value in ((first, "duration_s", "-1.0"), (second, "seed", "seven")):
        number = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if text.startswith(field))
        assert line.startswith(f"{path}:{number}: {field}: ")
        assert value in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validate", "no-such-scenario"], "no-such-scenario"),
        (["run", "missing/file.yaml"], "missing/file.yaml"),
        (["plot", "missing-folder"], "missing-folder"),
        (["pretrain", "no-such-recipe"], "no-such-recipe"),
        (["run", "quickstart", "--seed", "-1"], "-1"),
        (["run", "quickstart", "--set", "duration_s"], "duration_s"),
        (["run", "quickstart", "--device", "abacus"], "abacus"),
        (["run"], "FILE"),
        (["bench", "speed"], "allowed: overhead, fusion, reference-loop, network, growth, memory"),
        (["bench", "--rounds", "0"], "--rounds"),
        (["bench", "--out", "/dev/null/bench.json"], "/dev/null/bench.json"),
        (["walk"], "walk"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_message_and_status_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = cema(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_code_of_the_scenario_needs_permission(tiny, tmp_path):
    status, _, err = cema("run", tiny.write("tiny.yaml"), "--out", tmp_path / "out", "--device", "cpu")
    assert status == 2
    assert "--allow-code" in err
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_a_mistake(tiny, tmp_path):
    (tmp_path / SCENARIO).write_text("mine")
    status, _, err = cema("run", tiny.write("tiny.yaml"), "--out", tmp_path, "--allow-code")
    assert status == 2
    assert f"{tmp_path}: exists already" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoint": "data.npz"}, "data.npz"),
        ({"factory": "network.py:construct"}, "construct"),
        ({"num_classes": 7}, "7"),  # of a network with ten logits, on a data set with ten classes
        ({"mean": [0.5] * 3, "std": [0.25] * 3}, "channel"),  # of a network and a data set with one channel
    ],
)
@pytest.mark.parametrize("model", ["edge", "foundation"])
def test_a_model_that_does_not_fit_is_a_mistake(tiny, tmp_path, model, change, message):
    models = tiny.describe()["models"]
    models[model] |= change
    path = tiny.write("unfit.yaml", models=models, strategy=tiny.cema())
    status, _, err = cema("run", path, "--out", tmp_path / "out", "--allow-code", "--quiet")
    assert status == 2
    assert message in err


def test_a_run_writes_its_folder_and_shows_the_results(tiny, tmp_path):
    path = tiny.write("tiny.yaml", strategy=[{"name": "source"}, tiny.cema()])
    out_folder = tmp_path / ("a-rather-long-name-" * 5)
    status, out, err = cema(
        "run", path, "--out", out_folder, "--allow-code", "--seed", "3", "--set", "duration_s=4"
    )
    assert (status, err) == (0, "")
    assert "cema:" in out  # progress
    assert str(out_folder) in out  # in one piece, to be copied
    for label in ("source", "cema"):
        assert {SCENARIO, MANIFEST, SUMMARY, *TABLES} <= {
            file.name for file in (out_folder / label).iterdir()
        }
        manifest = json.loads((out_folder / label / MANIFEST).read_text())
        assert (manifest["status"], manifest["seed"], manifest["simulated_s"]) == ("done", 3, 4.0)


def test_quiet_says_nothing(tiny, tmp_path):
    path = tiny.write("tiny.yaml", duration_s=2.0)
    assert cema("run", path, "--out", tmp_path / "out", "--allow-code", "--quiet") == (0, "", "")
    assert (tmp_path / "out" / SUMMARY).exists()


def test_an_interrupt_tells_where_the_results_are(tiny, tmp_path, monkeypatch):
    from sim.simulation import Simulation  # noqa: PLC0415

    def interrupted(self, report, slices=500):
        raise KeyboardInterrupt

    monkeypatch.setattr(Simulation, "run", interrupted)
    monkeypatch.setattr("analysis.conclusion.conclude", lambda folder: [])
    status, _, err = cema("run", tiny.write("tiny.yaml"), "--out", tmp_path / "out", "--allow-code")
    assert status == 130
    assert f"the results so far are in {tmp_path / 'out'}" in err
    assert json.loads((tmp_path / "out" / MANIFEST).read_text())["status"] == "interrupted"


def test_schema_is_json_for_editors():
    status, out, _ = cema("schema")
    assert status == 0
    schema = json.loads(out)
    assert {"name", "duration_s", "groups", "strategy"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


def test_list_shows_what_can_be_named():
    status, out, _ = cema("list")
    assert status == 0
    words = out.split()
    for name in (
        "quickstart",
        "cema",
        "source",
        "factory",
        "npz",
        "png",
        "fp16",
        "gaussian_noise",
        "unreliable",
    ):
        assert name in words


def test_list_shows_one_title_alone():
    status, out, _ = cema("list", "links")
    assert status == 0
    assert "nb-iot" in out.split()
    assert "raspberry-pi-4" not in out.split()


def test_list_refuses_an_unknown_title():
    status, _, err = cema("list", "link")
    assert status == 2
    assert err.startswith("link: did you mean 'links'? must be one of: ")


def test_messages_go_to_standard_error_as_they_are():
    assert errors.stderr
    assert errors.soft_wrap


class FakeBenchmark:
    """Finds the number of rounds."""

    SUMMARY = "Counts."

    def __init__(self, name):
        self.name = name

    def measure(self, rounds, report, device="auto"):
        from sim.bench.result import Figure, Result  # noqa: PLC0415

        if self.name == "memory":
            raise KeyboardInterrupt
        report("counting")
        return Result(
            self.name, (Figure.of("counted", [rounds], "rounds", target=4),), "one cannot count on."
        )


@pytest.fixture
def benchmarks(monkeypatch, tmp_path):
    """Replace the benchmarks, and go where there are no results yet."""
    monkeypatch.setattr("sim.bench.suite.load", FakeBenchmark)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_bench_shows_a_table_and_writes_json(benchmarks):
    status, out, err = cema("bench", "growth", "fusion", "--rounds", 3, "--device", "cpu")
    assert (status, err) == (0, "")  # a missed target is no mistake
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "counted, rounds 3 3 to 3 >= 4 missed" in lines
    assert lines.index("fusion: one cannot count on.") + 1 == lines.index("growth: one cannot count on.")
    content = json.loads((benchmarks / "results" / "bench.json").read_text())
    assert (content["rounds"], content["environment"]["device"]) == (3, "cpu")
    assert content["benchmarks"]["growth"]["figures"][0]["rounds"] == [3]


def test_bench_can_be_quiet(benchmarks):
    assert cema("bench", "growth", "--quiet", "--out", "new/figures.json") == (0, "", "")
    assert (benchmarks / "new" / "figures.json").exists()


def test_an_interrupted_bench_keeps_what_it_has(benchmarks):
    status, _, err = cema("bench", "growth", "memory", "--quiet")
    assert status == 130
    assert "1 of 2 benchmarks" in err
    content = json.loads((benchmarks / "results" / "bench.json").read_text())
    assert list(content["benchmarks"]) == ["growth"]
