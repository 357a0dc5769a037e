from __future__ import annotations

import gc
import json
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import analysis.conclusion
from models.errors import InputError
from models.rendering import Renderer
from models.tuning import SIZES
from scenarios import loader
from sim.results import MANIFEST, SCENARIO, TABLES
from sim.run import Options, check, default_folder, run_scenario

BOTH = [{"name": "source"}, {"name": "source", "label": "again"}]


@pytest.fixture
def concluded(monkeypatch):
    """The folders that were handed over to be summarised, in place of summaries and figures."""
    folders = []
    monkeypatch.setattr(analysis.conclusion, "conclude", folders.append)
    return folders


def run(scenario, folder, report=None, force=False):
    run_scenario(scenario, folder, Options("cpu", force, allow_code=True), report)


def manifest(folder):
    return json.loads((folder / MANIFEST).read_text())


def stop_at(simulated_s, error, strategy=None):
    """Return a report that raises `error` at a simulated time of a strategy."""

    def report(label, progress):
        if strategy in (None, label) and progress.simulated_s >= simulated_s:
            raise error

    return report


def test_one_strategy_writes_into_the_folder_itself(tiny, tmp_path, concluded):
    run(tiny.scenario(), tmp_path / "deep" / "out")
    assert concluded == [tmp_path / "deep" / "out"]
    assert {path.name for path in concluded[0].iterdir()} == {SCENARIO, MANIFEST, *TABLES}


def test_several_strategies_write_into_folders_of_their_own(tiny, tmp_path, concluded):
    run(tiny.scenario(strategy=BOTH), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {SCENARIO, "source", "again"}
    for label in ("source", "again"):
        assert {path.name for path in (tmp_path / label).iterdir()} == {SCENARIO, MANIFEST, *TABLES}
        assert manifest(tmp_path / label)["strategy"] == label


def test_a_strategy_does_not_feel_those_before_it(tiny, tmp_path, concluded):
    run(tiny.scenario(strategy=[{"name": "source"}, tiny.cema()]), tmp_path / "both")
    run(tiny.scenario(strategy=tiny.cema()), tmp_path / "alone")
    for name in TABLES:
        after, alone = pq.read_table(tmp_path / "both/cema" / name), pq.read_table(tmp_path / "alone" / name)
        assert len(alone) > 0
        assert after.equals(alone), name


def test_the_arithmetic_is_the_scenarios(tiny, tmp_path, concluded):
    run(tiny.scenario(strategy=tiny.cema()), tmp_path / "exact")
    run(tiny.scenario(strategy=tiny.cema(), precision="bfloat16"), tmp_path / "rounded")
    assert manifest(tmp_path / "rounded")["placement"]["arithmetic"] == {
        "precision": "bfloat16",
        "compiled": False,
    }
    exact, rounded = (
        np.concatenate(pq.read_table(tmp_path / name / "batches.parquet")["entropy"].to_pylist())
        for name in ("exact", "rounded")
    )
    assert 0 < np.abs(exact - rounded).max() < 0.2


def test_an_arithmetic_that_cannot_be_had_is_told_before_anything_is_written(tiny, tmp_path, monkeypatch):
    def fail(network, dynamic):
        raise RuntimeError("no compiler")

    monkeypatch.setattr("torch.compile", fail)
    with pytest.raises(InputError, match=r"models\.edge: .*no compiler.*\nmodels\.foundation: "):
        run(tiny.scenario(strategy=tiny.cema(), compiled=True), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_while_time_passes_collections_leave_out_what_was_there_before(tiny, tmp_path, concluded):
    frozen = []
    run(tiny.scenario(), tmp_path, lambda *_: frozen.append(gc.get_freeze_count()))
    assert min(frozen) > 10_000
    assert gc.get_freeze_count() == 0


def test_the_scenario_is_written_with_every_default(tiny, tmp_path, concluded):
    scenario = tiny.scenario(strategy=BOTH)
    run(scenario, tmp_path)
    assert loader.load(tmp_path / SCENARIO) == scenario
    assert loader.load(tmp_path / "again" / SCENARIO).strategy == scenario.strategy[1:]


def test_the_manifest_of_a_run(tiny, tmp_path, concluded):
    run(tiny.scenario(duration_s=2.0), tmp_path)
    found = manifest(tmp_path)
    assert {
        key: found[key] for key in ("scenario", "strategy", "seed", "status", "error", "simulated_s")
    } == {
        "scenario": "tiny",
        "strategy": "source",
        "seed": 7,
        "status": "done",
        "error": None,
        "simulated_s": 2.0,
    }
    assert found["placement"]["device"] == "cpu"
    assert found["placement"]["images_per_pass"] in SIZES["cpu"]
    assert found["content_hash"] == loader.content_hash(tiny.scenario(duration_s=2.0))
    assert found["versions"].keys() >= {"python", "torch", "simpy"}


def test_the_manifest_says_running_until_the_end(tiny, tmp_path, concluded):
    seen = set()
    run(tiny.scenario(), tmp_path, lambda *_: seen.add(manifest(tmp_path)["status"]))
    assert seen == {"running"}


def test_progress_is_reported_under_the_strategys_label(tiny, tmp_path, concluded):
    reports = []
    run(
        tiny.scenario(strategy=BOTH),
        tmp_path,
        lambda label, progress: reports.append((label, progress.simulated_s)),
    )
    assert list(dict.fromkeys(label for label, _ in reports)) == ["source", "again"]
    assert reports[-1] == ("again", 10.0)


def test_an_existing_folder_is_left_alone(tiny, tmp_path, concluded):
    (tmp_path / SCENARIO).write_text("mine")
    with pytest.raises(InputError, match=r"exists already.*--force"):
        run(tiny.scenario(), tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(SCENARIO, "mine")]


def test_force_replaces_a_result_folder(tiny, tmp_path, concluded):
    (tmp_path / SCENARIO).write_text("old")
    (tmp_path / MANIFEST).write_text("old")
    (tmp_path / "stale.parquet").write_text("old")
    run(tiny.scenario(), tmp_path, force=True)
    assert not (tmp_path / "stale.parquet").exists()
    assert manifest(tmp_path)["status"] == "done"


def test_force_deletes_no_folder_of_another_kind(tiny, tmp_path, concluded):
    (tmp_path / SCENARIO).write_text("mine")
    (tmp_path / MANIFEST).write_text("mine")
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="holds more than a run's results; --force will not delete it"):
        run(tiny.scenario(), tmp_path, force=True)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_force_deletes_no_folder_whose_scenario_is_the_users_own(tiny, tmp_path, concluded):
    (tmp_path / SCENARIO).write_text("mine")
    with pytest.raises(InputError, match="holds more than a run's results"):
        run(tiny.scenario(), tmp_path, force=True)
    assert (tmp_path / SCENARIO).read_text() == "mine"


def test_force_replaces_what_a_link_points_to(tiny, tmp_path, concluded):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / SCENARIO).write_text("old")
    (tmp_path / "there" / MANIFEST).write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    run(tiny.scenario(), tmp_path / "link", force=True)
    assert manifest(tmp_path / "there")["status"] == "done"


def test_an_empty_folder_may_exist(tiny, tmp_path, concluded):
    run(tiny.scenario(), tmp_path)
    assert manifest(tmp_path)["status"] == "done"


@pytest.mark.parametrize("place", ["out", "out/below"])
@pytest.mark.parametrize("force", [False, True])
def test_a_file_in_the_folders_place_is_the_users_mistake(tiny, tmp_path, concluded, place, force):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="out"):
        run(tiny.scenario(), tmp_path / place, force=force)
    assert (tmp_path / "out").read_text() == "a file"


def test_a_mistake_in_the_data_leaves_an_existing_folder_alone(tiny, tmp_path, concluded):
    (tmp_path / SCENARIO).write_text("old")
    scenario = tiny.scenario(data={"npz": "network.py"})  # not an archive
    with pytest.raises(InputError, match=r"network\.py"):
        run(scenario, tmp_path, force=True)
    assert (tmp_path / SCENARIO).read_text() == "old"


def test_an_interrupted_run_leaves_readable_results(tiny, tmp_path, concluded):
    with pytest.raises(KeyboardInterrupt):
        run(tiny.scenario(strategy=tiny.cema()), tmp_path, stop_at(5.0, KeyboardInterrupt()))
    found = manifest(tmp_path)
    assert (found["status"], found["simulated_s"]) == ("interrupted", 5.0)
    (first, second) = pq.read_table(tmp_path / "devices.parquet").to_pylist()
    assert first["samples_arrived"] == second["samples_arrived"] == 20
    batches = pq.read_table(tmp_path / "batches.parquet")
    assert sum(batches.column("samples").to_pylist()) == 40
    assert concluded == [tmp_path]


def test_an_interrupt_in_the_middle_of_a_forward_pass(tiny, tmp_path, concluded, monkeypatch):
    from models.executor import Executor  # noqa: PLC0415

    compute = Executor._compute

    def interrupted(self, *arguments):
        if self.forward_passes == 9:
            raise KeyboardInterrupt
        return compute(self, *arguments)

    monkeypatch.setattr(Executor, "_compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tiny.scenario(strategy=tiny.cema(), images_per_pass=1), tmp_path)
    assert manifest(tmp_path)["status"] == "interrupted"
    statuses = pq.read_table(tmp_path / "batches.parquet").column("status").to_pylist()
    assert statuses == ["predicted"] * 9 + ["in_progress"]


def test_an_interrupt_ends_the_strategies_that_follow_too(tiny, tmp_path, concluded):
    with pytest.raises(KeyboardInterrupt):
        run(tiny.scenario(strategy=BOTH), tmp_path, stop_at(5.0, KeyboardInterrupt(), "source"))
    assert manifest(tmp_path / "source")["status"] == "interrupted"
    assert not (tmp_path / "again").exists()


def test_a_failing_strategy_says_so_and_keeps_the_results_before_it(tiny, tmp_path, concluded):
    with pytest.raises(ZeroDivisionError, match="oh"):
        run(tiny.scenario(strategy=BOTH), tmp_path, stop_at(5.0, ZeroDivisionError("oh"), "again"))
    assert manifest(tmp_path / "source")["status"] == "done"
    found = manifest(tmp_path / "again")
    assert (found["status"], found["error"]) == ("failed", "ZeroDivisionError: oh")
    assert len(pq.read_table(tmp_path / "again" / "batches.parquet")) > 0


def test_a_strategy_that_cannot_begin_has_failed(tiny, tmp_path, concluded, monkeypatch):
    from models.strategies.source import Source  # noqa: PLC0415

    def build(self, laboratory):
        raise InputError("cannot begin")

    monkeypatch.setattr(Source, "build", build)
    with pytest.raises(InputError, match="cannot begin"):
        run(tiny.scenario(), tmp_path)
    found = manifest(tmp_path)
    assert (found["status"], found["error"]) == ("failed", "InputError: cannot begin")


def test_the_cause_of_a_failure_is_not_hidden_by_what_follows_from_it(tiny, tmp_path):
    with pytest.raises(ZeroDivisionError, match="oh"):  # before the first batch, and with real conclusions
        run(tiny.scenario(), tmp_path, stop_at(0.0, ZeroDivisionError("oh")))
    assert manifest(tmp_path)["status"] == "failed"


def test_a_conclusion_that_fails_does_not_hide_it_either(tiny, tmp_path, monkeypatch):
    def conclude(folder):
        raise LookupError("nothing to conclude")

    monkeypatch.setattr(analysis.conclusion, "conclude", conclude)
    with pytest.raises(ZeroDivisionError, match="oh"):
        run(tiny.scenario(), tmp_path, stop_at(5.0, ZeroDivisionError("oh")))


def test_code_of_the_scenario_runs_only_if_allowed(tiny, tmp_path):
    with pytest.raises(InputError, match=r"models\.edge.*--allow-code"):
        run_scenario(tiny.scenario(), tmp_path / "out", Options("cpu"))
    assert not (tmp_path / "out").exists()


def test_packaged_models_need_no_permission(tiny):
    check(tiny.scenario(models={"edge": {"packaged": "fashion-mnist-edge"}}), Options())


def test_the_default_folder_is_named_after_scenario_and_seed(tiny):
    assert default_folder(tiny.scenario(seed=3)) == Path("results/tiny-3")


COLOURED = """
from models.networks import ResidualNetwork


def build():
    return ResidualNetwork((4, 8), (1, 1), 2, 3)
"""


@pytest.fixture
def photographs(tmp_path):
    """A scenario on a folder of two classes of photographs, one of which is cut short."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    from models.networks import ResidualNetwork  # noqa: PLC0415
    from scenarios.schema import Scenario  # noqa: PLC0415

    generator = np.random.default_rng(0)
    for place in ("cats", "dogs"):
        (tmp_path / "images" / place).mkdir(parents=True)
        for number in range(4):
            pixels = generator.integers(0, 256, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / place / f"{number}.png")
    broken = tmp_path / "images" / "dogs" / "2.png"
    broken.write_bytes(broken.read_bytes()[:60])
    (tmp_path / "coloured.py").write_text(COLOURED, encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(ResidualNetwork((4, 8), (1, 1), 2, 3).state_dict(), str(tmp_path / "edge.safetensors"))
    model = {"factory": "coloured.py:build", "checkpoint": "edge.safetensors", "num_classes": 2}
    described = {
        "name": "photographs",
        "duration_s": 4.0,
        "data": {"folder": "images", "size": 8},
        "models": {"edge": model | {"mean": [0.5] * 3, "std": [0.25] * 3}},
        "strategy": "source",
        "cloud": {"gflops": 1.0},
        "groups": {
            "cameras": {
                "stream": {"rate_hz": 2.0, "batch_size": 2, "phase": "zero"},
                "compute": {"gflops": 1.0},
                "link": {"uplink_mbps": 1.0, "downlink_mbps": 1.0},
            }
        },
    }
    return Scenario.model_validate(described, context={"folder": tmp_path})


def test_a_damaged_image_is_named_and_counted_and_ends_nothing(photographs, tmp_path, concluded):
    run(photographs, tmp_path / "out")
    written = manifest(tmp_path / "out")
    assert written["status"] == "done"
    ((path, reason),) = written["damaged"].items()
    assert path.endswith("images/dogs/2.png")
    assert reason
    (device,) = pq.read_table(tmp_path / "out" / "devices.parquet").to_pylist()
    assert device["samples_damaged"] == 2  # eight batches of two see each of the eight images twice
    assert device["samples_arrived"] == device["samples_predicted"] + 2 == 16
    rows = pq.read_table(tmp_path / "out" / "batches.parquet").to_pylist()
    assert sorted(row["samples"] for row in rows) == [1, 1, 2, 2, 2, 2, 2, 2]
    assert [row["damaged"] for row in rows if row["samples"] == 1] == [1, 1]


def test_a_strategy_that_wants_clean_images_is_told_before_anything_is_written(tmp_path, tiny):
    import numpy as np  # noqa: PLC0415

    stored = tmp_path / "stored"
    stored.mkdir()
    np.save(stored / "labels.npy", np.arange(50, dtype=np.uint8) % 10)
    np.save(stored / "fog.npy", np.zeros((50, 32, 32, 3), np.uint8))
    group = tiny.group(schedule=[{"corruption": "fog", "severity": 5}])
    scenario = tiny.scenario(
        data={"cifar10_c": str(stored)}, strategy={"name": "eata"}, groups={"cameras": group}
    )
    with pytest.raises(InputError, match=r"strategy 'eata' needs clean images: .*clean"):
        run(scenario, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_finished_strategy_leaves_no_images_waiting_for_the_next(tiny, tmp_path, concluded, monkeypatch):
    import sim.run  # noqa: PLC0415

    waiting = []
    original = sim.run._run_strategy

    def noted(scenario, strategy, premises, *others):
        waiting.append(premises.renderer.waiting)
        original(scenario, strategy, premises, *others)

    monkeypatch.setattr(sim.run, "_run_strategy", noted)
    monkeypatch.setattr("models.rendering.Renderer", partial(Renderer, small=0))
    group = tiny.group(schedule=[{"corruption": "gaussian_noise", "severity": 3}])
    strategies = [{"name": "source"}, {"name": "source", "label": "again"}]
    run(tiny.scenario(strategy=strategies, groups={"cameras": group}), tmp_path)
    assert waiting == [0, 0]
