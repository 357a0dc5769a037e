from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from sim.cli import app


def cema(*arguments):
    """Run the command line; returns exit status, output and errors."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def computed(tiny, tmp_path_factory):
    """The folder of two runs of the same world and seed, one strategy each."""
    folder = tmp_path_factory.mktemp("computed")
    for name, strategy in (("plain", {"name": "source"}), ("adapted", tiny.cema())):
        scenario = tiny.write(f"{name}.yaml", strategy=strategy, duration_s=3.0)
        assert cema("run", scenario, "--out", folder / name, "--allow-code", "--quiet")[0] == 0
    return folder


@pytest.fixture
def two_runs(computed, tmp_path):
    """Copies of the two runs beside one another."""
    return [shutil.copytree(computed / name, tmp_path / name) for name in ("plain", "adapted")]


def test_two_runs_are_paired_and_written(two_runs, tmp_path):
    status, out, err = cema("compare", *two_runs, "--out", tmp_path / "comparison")
    assert (status, err) == (0, "")
    assert "warning" not in out
    words = out.split()
    assert {"source", "cema", "plain", "adapted"} <= set(words)
    assert "not paired" not in out
    assert "across the devices of one seed" in " ".join(words)
    assert str(tmp_path / "comparison") in out
    written = {path.name for path in (tmp_path / "comparison").iterdir()}
    assert {"study.csv", "differences.csv", "frontier.png", "accuracy_over_time.png"} <= written


def test_nothing_is_written_without_a_folder(two_runs, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert cema("compare", *two_runs)[0] == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_mistakes_are_one_message_and_status_2(two_runs, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for arguments, message in (
        ([tmp_path / "nowhere"], f"{tmp_path / 'nowhere'}: no such folder"),
        ([two_runs[0], two_runs[0]], f"{two_runs[0]}: given twice"),
        ([two_runs[0], "--out", two_runs[1]], f"{two_runs[1]}: holds the results of a run or a study"),
        ([two_runs[0], "--out", tmp_path / "full"], f"{tmp_path / 'full'}: exists already"),
    ):
        status, out, err = cema("compare", *arguments)
        assert (status, out) == (2, "")
        assert err.startswith(message)
    assert cema("compare", two_runs[0], "--out", tmp_path / "full", "--force")[0] == 0


def test_a_study_is_plotted_again(two_runs, tmp_path):
    rows = [
        f"r,{folder.name},{label},7,done,\n"
        for folder, label in zip(two_runs, ("source", "cema"), strict=True)
    ]
    (tmp_path / "runs.csv").write_text("run,folder,strategy,seed,status,error\n" + "".join(rows))
    status, out, err = cema("plot", tmp_path)
    assert (status, err) == (0, "")
    assert "difference" in out
    assert (tmp_path / "frontier.png").is_file()


def test_a_study_without_results_is_a_mistake(tmp_path):
    (tmp_path / "runs.csv").write_text("run,folder,strategy,seed,status,error\nr,,cema,0,waiting,\n")
    for command in ("plot", "compare"):
        status, _, err = cema(command, tmp_path)
        assert status == 2
        assert "no run has finished yet" in err


def test_help_answers_without_torch():
    program = (
        "import sys; from sim.cli import app\n"
        "try: app(['compare', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
