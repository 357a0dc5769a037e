from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.gathering import NOWHERE, differing_fields, gather
from analysis.reading import ResultsError


@pytest.fixture
def two_seeds(small_run: Callable[..., Path], tmp_path: Path) -> list[Path]:
    for seed in (0, 1):
        for label in ("source", "cema"):
            small_run(tmp_path / f"small-{seed}" / label, label, seed, (8, 2, 8))
    return [tmp_path / "small-0", tmp_path / "small-1"]


def test_other_seeds_of_the_same_keep_their_label(two_seeds: list[Path]) -> None:
    runs = gather(two_seeds)
    assert (runs.name, runs.axes, runs.points) == ("small-0 and small-1", (), [()])
    assert [(run.strategy, run.seed) for run in runs.done] == [
        ("cema", 0),
        ("source", 0),
        ("cema", 1),
        ("source", 1),
    ]
    assert runs.warnings == ()


def test_the_same_seed_is_told_apart_by_folder(small_run: Callable[..., Path], tmp_path: Path) -> None:
    folders = [small_run(tmp_path / name, "cema", 0, (8, 2, 8)) for name in ("before", "after")]
    assert gather(folders).strategies == ["cema (before)", "cema (after)"]


def test_other_settings_are_told_apart_by_folder(small_run: Callable[..., Path], tmp_path: Path) -> None:
    strategy = [{"name": "cema", "label": "cema", "batch_size": 4}]
    folders = [
        small_run(tmp_path / "slow", "cema", 0, (8, 2, 8)),
        small_run(tmp_path / "fast", "cema", 1, (8, 2, 8), strategy=strategy),
    ]
    assert gather(folders).strategies == ["cema (slow)", "cema (fast)"]


def test_folders_of_one_name_are_told_apart_by_their_parents(
    small_run: Callable[..., Path], tmp_path: Path
) -> None:
    folders = [small_run(tmp_path / name / "run", "cema", 0, (8, 2, 8)) for name in ("a", "b")]
    assert gather(folders).strategies == ["cema (a/run)", "cema (b/run)"]


def test_other_worlds_are_named(small_run: Callable[..., Path], tmp_path: Path) -> None:
    changes = {"cloud": {"gflops": 5}, "data": {"npz": "other.npz"}, "description": "elsewhere"}
    folders = [
        small_run(tmp_path / "a", "source", 0, (8, 2, 8), cloud={"gflops": 1}),
        small_run(tmp_path / "b", "cema", 0, (8, 2, 8), **changes),
    ]
    [warning] = gather(folders).warnings
    assert warning == (
        "the scenario of cema differs from that of source in cloud.gflops, data: "
        "the difference between them is not the strategies' alone"
    )


def test_a_partner_is_found_among_those_of_its_folder(
    study_writer: Callable[..., Path], small_run: Callable[..., Path], tmp_path: Path
) -> None:
    study = study_writer(tmp_path / "study", seeds=range(1), worlds=())
    runs = gather([study, small_run(tmp_path / "mine", "cema", 0, (8, 2, 8))])
    assert runs.strategies == ["source", "cema (study)", "random-cema", "cema (mine)"]
    assert runs.partners == {"cema (study)": ["random-cema"]}


def test_a_run_joins_the_point_of_its_world(
    study: Path, small_run: Callable[..., Path], tmp_path: Path
) -> None:
    mine = small_run(tmp_path / "mine", "tent", 3, (8, 2, 8), data={"npz": "harsh"})
    runs = gather([study, mine])
    assert [run.point for run in runs.done if run.strategy == "tent"] == [("harsh",)]
    assert runs.warnings == ()


def test_a_run_of_another_world_stands_alone(
    study: Path, small_run: Callable[..., Path], tmp_path: Path
) -> None:
    mine = small_run(tmp_path / "mine", "cema", 9, (8, 2, 8), data={"npz": "elsewhere"})
    runs = gather([study, mine])
    assert runs.points[-1] == (NOWHERE,)
    assert runs.points_of_mean == [("mild",), ("harsh",)]
    assert runs.warnings == ("cema (mine) has the world of no single point of the studies, and stands alone",)


def test_studies_of_the_same_axes_share_points(
    study: Path, study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    runs = gather([study, study_writer(tmp_path / "other", ("tent",), worlds=("harsh", "calm"))])
    assert runs.axes == ("world",)
    assert runs.points == [("mild",), ("harsh",), ("calm",)]
    assert len(list(runs.cells())) == 15


def test_an_interrupted_run_counts_as_far_as_it_came(small_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = small_run(tmp_path / "run", "cema", 0, (8, 2, 8))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(
        json.dumps(manifest | {"status": "interrupted", "simulated_s": 12.0})
    )
    runs = gather([folder])
    assert len(runs.done) == 1
    assert runs.warnings == ("cema, seed 0: interrupted after 12 simulated seconds",)


def test_a_failed_run_is_known(small_run: Callable[..., Path], two_seeds: list[Path]) -> None:
    folder = small_run(two_seeds[0] / "tent", "tent", 0, (8, 2, 8))
    (folder / "batches.parquet").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(
        json.dumps(manifest | {"status": "failed", "error": "ValueError: 1"})
    )
    [failed] = [run for run in gather(two_seeds).runs if not run.usable]
    assert (failed.strategy, failed.status, failed.error) == ("tent", "failed", "ValueError: 1")


def test_mistakes(small_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = small_run(tmp_path / "run", "cema", 0, (8, 2, 8))
    with pytest.raises(ResultsError, match="run: given twice; a comparison needs each folder once"):
        gather([folder, folder / ".." / "run"])
    with pytest.raises(ResultsError, match="nowhere: no such folder"):
        gather([folder, tmp_path / "nowhere"])


def test_differing_fields() -> None:
    first = {"a": 1, "b": {"c": [1, 2], "d": {"e": 1}}, "f": None}
    assert differing_fields(first, first) == []
    other = {"a": 1, "b": {"c": [1, 3], "d": {"e": 2}}, "g": 1}
    assert differing_fields(first, other) == ["b.c", "b.d.e", "g"]
