"""The commands `sweep` and `ablate`."""

from __future__ import annotations

import csv
import subprocess
import sys
import types

import pytest
import yaml
from typer.testing import CliRunner

from sim import workers
from sim.cli import app
from sim.workers import Report


def cema(*arguments):
    """Run the command line; returns exit status, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def statuses(folder):
    with (folder / "runs.csv").open(newline="", encoding="utf-8") as file:
        return [row["status"] for row in csv.DictReader(file)]


@pytest.fixture
def study(tiny, tmp_path, monkeypatch):
    """Write a study with these fields into the current folder and return its name."""
    monkeypatch.chdir(tmp_path)
    base = tiny.write("base.yaml", duration_s=2.0)

    def write(**fields):
        data = {"name": "small", "base": str(base)} | fields
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return "study.yaml"

    return write


@pytest.fixture
def concluded(monkeypatch):
    """The folders that were handed over for tables and figures, in place of these."""
    folders = []
    conclusion, console = types.ModuleType("analysis.study"), types.ModuleType("analysis.study_console")
    conclusion.conclude_study = folders.append
    console.study_tables = lambda folder: [f"tables of {folder}"]
    monkeypatch.setitem(sys.modules, "analysis.study", conclusion)
    monkeypatch.setitem(sys.modules, "analysis.study_console", console)
    return folders


@pytest.fixture
def pretended(inline, monkeypatch):
    """Runs by their seed: what each reports; those that are not mentioned are done."""
    reports = {}
    jobs_used = []

    def compute(task):
        changes = reports.get(task.scenario["seed"], {})
        if changes == "Ctrl-C":
            raise KeyboardInterrupt
        return Report(**({"content_hash": task.content_hash, "status": "done"} | changes))

    def pool(jobs, options):
        jobs_used.append(jobs)
        assert not options.figures
        return inline(compute, jobs)

    monkeypatch.setattr(workers, "Workers", pool)
    reports["jobs"] = jobs_used
    return reports


def test_help_names_the_commands():
    _, out, _ = cema("--help")
    assert "sweep" in out
    assert "ablate" in out


def test_a_sweep(study, tmp_path, concluded, pretended):
    status, out, err = cema("sweep", study(seeds=[0, 1]), "--allow-code", "--jobs", 3)
    assert (status, err) == (0, "")
    assert [str(folder) for folder in concluded] == ["results/small"]
    assert statuses(tmp_path / "results/small") == ["done", "done"]
    assert out.splitlines()[0] == "small: 2 runs, 0 of them stored, 2 to be made, 3 at a time"
    assert out.splitlines()[-2:] == ["tables of results/small", "study: results/small"]
    assert pretended["jobs"] == [3]


def test_a_real_sweep_with_one_job(study, tmp_path, concluded):
    status, out, err = cema("sweep", study(), "--allow-code", "--device", "cpu", "--jobs", 1, "--out", "here")
    assert (status, err) == (0, "")
    assert statuses(tmp_path / "here") == ["done"]
    assert "source, seed 7: done, accuracy " in out


def test_the_options_of_a_sweep(study, tmp_path, concluded, pretended):
    arguments = ["--out", "o", "--runs", "store", "--seeds", "3-5", "--set", "duration_s=1", "--allow-code"]
    assert cema("sweep", study(seeds=[0]), *arguments)[0] == 0
    assert statuses(tmp_path / "o") == ["done"] * 3
    written = yaml.safe_load((tmp_path / "o/study.yaml").read_text())
    assert (written["seeds"], written["set"]) == ([3, 4, 5], {"duration_s": 1})
    assert (tmp_path / "store").is_dir()
    assert pretended["jobs"] == [workers.usable_cores()]


def test_quiet_says_nothing_but_mistakes(study, concluded, pretended):
    assert cema("sweep", study(), "--allow-code", "--quiet") == (0, "", "")
    pretended[1] = {"status": "failed", "error": "out of paint", "by_input": True}
    status, out, err = cema("sweep", study(), "--allow-code", "--quiet", "--seeds", "0,1")
    assert (status, out, err) == (2, "", "source, seed 1: failed: out of paint\n")


@pytest.mark.parametrize(("by_input", "expected"), [(True, 2), (False, 1)])
def test_a_failed_run_is_told_and_the_others_are_concluded(
    study, tmp_path, concluded, pretended, by_input, expected
):
    pretended[1] = {"status": "failed", "error": "[b]oh[/b]", "by_input": by_input}
    status, _, err = cema("sweep", study(seeds=[0, 1]), "--allow-code")
    assert (status, err) == (expected, "source, seed 1: failed: [b]oh[/b]\n")
    assert statuses(tmp_path / "results/small") == ["done", "failed"]
    assert len(concluded) == 1


def test_nothing_is_concluded_where_nothing_is_done(study, concluded, pretended):
    pretended[7] = {"status": "failed", "error": "oh"}
    assert cema("sweep", study(), "--allow-code")[0] == 1
    assert concluded == []


def test_an_interrupt_tells_how_to_go_on(study, tmp_path, concluded, pretended):
    pretended[1] = "Ctrl-C"
    status, _, err = cema("sweep", study(seeds=[0, 1, 2]), "--allow-code", "--jobs", 1)
    assert status == 130
    assert err == "interrupted: 1 of 3 runs are done; the same command goes on from there (results/small)\n"
    assert statuses(tmp_path / "results/small") == ["done", "interrupted", "waiting"]
    assert concluded == []


def test_a_dry_run_writes_nothing(study, tmp_path, tiny):
    status, out, err = cema("sweep", study(seeds=[0, 1]), "--dry-run")
    assert (status, err) == (0, "")
    assert [line.split("  ")[1:] for line in out.splitlines()] == [
        ["waiting", "source, seed 0"],
        ["waiting", "source, seed 1"],
    ]
    assert not (tmp_path / "results").exists()


def test_an_ablation_needs_no_study(study, tmp_path, concluded, pretended, tiny):
    scenario = tiny.write("ablated.yaml", strategy=["source", tiny.cema(momentum=0.5)], duration_s=2.0)
    status, out, err = cema("ablate", scenario, "--seeds", "0-1", "--dry-run", "--set", "name=n")
    assert (status, err) == (0, "")
    titles = [line.split("  ")[-1] for line in out.splitlines()]
    assert len(titles) == 2 * 16
    assert titles[::2][:3] == ["cema, seed 0", "no-exclusion, seed 0", "unreliable-static, seed 0"]
    assert "random-both, seed 1" in titles
    assert not (tmp_path / "results").exists()


def test_the_folder_of_an_ablation(study, tmp_path, concluded, pretended, tiny):
    scenario = tiny.write("ablated.yaml", strategy=tiny.cema(), duration_s=2.0)
    pretended[7] = {"status": "failed", "error": "oh", "by_input": True}
    status, _, err = cema("ablate", scenario, "--allow-code", "--quiet")
    assert status == 2
    assert "random-both, seed 7: failed: the run to match, both, failed: oh" in err
    assert statuses(tmp_path / "results/tiny-ablation") == ["failed"] * 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "missing.yaml"], "missing.yaml: no such study file"),
        (["sweep", "study.yaml"], "models.edge and models.foundation: a factory runs Python code"),
        (["sweep", "study.yaml", "--seeds", "x"], "--seeds x: must be whole numbers and ranges"),
        (["sweep", "study.yaml", "--set", "duration_s=-1"], "--set duration_s=-1: must be at least"),
        (["sweep", "study.yaml", "--jobs", "0"], "jobs"),
        (["sweep", "study.yaml", "--device", "abacus"], "abacus"),
        (["ablate", "no-such-scenario"], "no-such-scenario"),
        (["ablate"], "FILE"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(study, tmp_path, arguments, message):
    study()
    status, out, err = cema(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("command", [["sweep", "study.yaml"], ["ablate", "quickstart"]])
def test_listing_the_runs_leaves_torch_alone(study, command):
    study()
    program = (
        "import sys; from sim.cli import app\n"
        f"try: app({[*command, '--dry-run']!r})\n"
        "except SystemExit: print('\\ntorch' if 'torch' in sys.modules else '\\nlight')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "light"
