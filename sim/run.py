"""Running a scenario: each of its strategies in turn, on the same world, into a result folder."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InputError
from scenarios import loader
from sim.matching import resolve
from sim.results import MANIFEST, SCENARIO, SUMMARY

if TYPE_CHECKING:
    import torch

    from models.datasets import DataSet
    from models.placement import Placement
    from models.rendering import Renderer
    from models.sources import LoadedModel
    from models.strategies import Base as StrategySettings
    from scenarios.schema import Scenario
    from sim.simulation import Progress

Report = Callable[[str, "Progress"], None]
"""Called with a strategy's label and its progress."""


WRITTEN = {SCENARIO, MANIFEST, SUMMARY}


@dataclass(frozen=True)
class Options:
    """How to run, as opposed to what.

    Attributes:
        device: auto, cpu or cuda.
        force: whether to replace an existing result folder.
        allow_code: whether the scenario may run Python of its own.
        figures: whether to draw figures and compare strategies, beside tables and summaries.

    """

    device: str = "auto"
    force: bool = False
    allow_code: bool = False
    figures: bool = True


@dataclass(frozen=True)
class Premises:
    """What all strategies of a run share; `known` says what stands for files in content hashes."""

    data: DataSet
    placement: Placement
    renderer: Renderer
    known: dict[Path, str]


def label_of(strategy: StrategySettings) -> str:
    """Return the name of a strategy's result folder."""
    return strategy.label or strategy.name


def default_folder(scenario: Scenario) -> Path:
    """Return results/<scenario>-<seed>."""
    return Path("results") / f"{scenario.name}-{scenario.seed}"


def run_scenario(scenario: Scenario, folder: Path, options: Options, report: Report | None = None) -> None:
    """Run every strategy of a scenario and write tables, summaries, comparison and figures into `folder`.

    Raises InputError for the user's mistakes. On KeyboardInterrupt the results so far are left readable, marked as
    interrupted, and the interrupt goes on.
    """
    from models.placement import choose_device  # noqa: PLC0415 - heavy
    from models.rendering import Renderer  # noqa: PLC0415

    device = choose_device(options.device)
    check(scenario, options)
    known: dict[Path, str] = {}
    loader.content_hash(scenario, known)  # reads every file once, before anything is written
    data = scenario.data.load()
    _check_data(scenario, data)
    edge = _check_models(scenario, data, device)
    _check_budgets(scenario, edge, data)
    placement = _place(scenario, device, edge, data)
    _prepare(folder, options.force)
    (folder / SCENARIO).write_text(loader.dump(scenario), encoding="utf-8")
    try:
        with Renderer() as renderer:
            premises = Premises(data, placement, renderer, known)
            for strategy in scenario.strategy:
                several = len(scenario.strategy) > 1
                own_folder = folder / label_of(strategy) if several else folder
                own_folder.mkdir(parents=True, exist_ok=True)
                _run_strategy(scenario, resolve(strategy, folder), premises, own_folder, report)
                gc.collect()  # a simulation is a web of cycles that holds models and images
    except BaseException as error:  # an interrupt too; nothing may hide the cause
        with suppress(Exception):
            _conclude(folder, options)
        error.add_note(f"the results so far are in {folder}")
        raise
    _conclude(folder, options)


def _conclude(folder: Path, options: Options) -> None:
    """Write what follows from the tables."""
    if options.figures:
        from analysis.conclusion import conclude  # noqa: PLC0415 - heavy

        conclude(folder)
        return
    from analysis.reading import with_tables  # noqa: PLC0415
    from analysis.summary import write_summary  # noqa: PLC0415

    for own_folder in with_tables(folder).values():
        write_summary(own_folder)


def check(scenario: Scenario, options: Options) -> None:
    """Raise InputError where the scenario runs code that was not allowed."""
    models = {"edge": scenario.models.edge, "foundation": scenario.models.foundation}
    runs_code = [f"models.{name}" for name, model in models.items() if model is not None and model.runs_code]
    if runs_code and not options.allow_code:
        fields = " and ".join(runs_code)
        raise InputError(
            f"{fields}: a factory runs Python code from the scenario; if you trust it, say --allow-code"
        )


def _check_data(scenario: Scenario, data: DataSet) -> None:
    """Raise InputError with every condition that the data set has no images for."""
    from models import rendering  # noqa: PLC0415

    problems = [
        f"groups.{name}.schedule: {problem}"
        for name, group in scenario.groups.items()
        for problem in rendering.check(data, group.conditions)
    ]
    for strategy in scenario.strategy:
        if strategy.needs_clean_images:
            lacking = rendering.check(data, [("none", 0)])
            problems += [
                f"strategy {label_of(strategy)!r} needs clean images: {problem}" for problem in lacking
            ]
    if problems:
        raise InputError("\n".join(problems))


def _check_models(scenario: Scenario, data: DataSet, device: torch.device) -> LoadedModel:
    """Load each model once, before anything is deleted or run; raise InputError with every misfit.

    Returns the edge model.
    """
    from models.arithmetic import EXACT, Arithmetic  # noqa: PLC0415
    from models.preflight import misfit, uncomputable  # noqa: PLC0415

    arithmetic = Arithmetic(scenario.precision, scenario.compiled)
    loaded = {
        name: replace(model.load(), arithmetic=arithmetic)
        for name, model in (("edge", scenario.models.edge), ("foundation", scenario.models.foundation))
        if model is not None
    }
    problems = [text for name, model in loaded.items() if (text := misfit(data, model, f"models.{name}"))]
    if data.classes is None and len({model.num_classes for model in loaded.values()}) > 1:
        counts = ", ".join(f"{name} {model.num_classes}" for name, model in loaded.items())
        problems.append(f"models: must have the same number of classes, not {counts}")
    if not problems and arithmetic != EXACT:
        told = (uncomputable(data, model, device, f"models.{name}") for name, model in loaded.items())
        problems += filter(None, told)
    if problems:
        raise InputError("\n".join(problems))
    return loaded["edge"]


def _check_budgets(scenario: Scenario, edge: LoadedModel, data: DataSet) -> None:
    """Raise InputError where statistics of the edge model, which are never given up, do not fit a budget."""
    import torch  # noqa: PLC0415 - heavy

    from models.fitting import fit  # noqa: PLC0415
    from models.normalisation import AdaptableModel  # noqa: PLC0415
    from sim.affordable import unaffordable  # noqa: PLC0415

    @cache
    def statistics_bytes() -> int:
        layout = AdaptableModel(fit(edge, data).network, torch.device("cpu")).layout
        return 4 * (layout.size - layout.affine_size)

    if problems := unaffordable(scenario, statistics_bytes):
        raise InputError("\n".join(problems))


def _place(scenario: Scenario, device: torch.device, edge: LoadedModel, data: DataSet) -> Placement:
    """Decide where the run computes; the edge model is measured where the scenario does not say how images fuse."""
    from models.fitting import fit  # noqa: PLC0415 - heavy
    from models.placement import place  # noqa: PLC0415
    from models.tuning import images_per_pass  # noqa: PLC0415

    placement = replace(place(device), arithmetic=edge.arithmetic)
    images = scenario.images_per_pass or images_per_pass(fit(edge, data), data.shape, placement)
    return replace(placement, images_per_pass=images)


@contextmanager
def _long_lived_spared() -> Iterator[None]:
    """Leave what is there, modules, models and the fleet, out of garbage collections: it is much, and stays."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _prepare(folder: Path, force: bool) -> None:
    target = folder.resolve()
    try:
        for place in (target, *target.parents):
            if place.exists() and not place.is_dir():
                raise InputError(f"{folder}: {place} is a file; choose another --out")
        if target.exists() and any(target.iterdir()):
            if not force:
                raise InputError(
                    f"{folder}: exists already; choose another --out, or replace it with --force"
                )
            if not _holds_results_alone(target):
                raise InputError(f"{folder}: holds more than a run's results; --force will not delete it")
            shutil.rmtree(target)
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}; choose another --out") from error


def _holds_results_alone(folder: Path) -> bool:
    """Tell whether a run wrote everything in a folder, and so may replace it."""
    files = [path for path in folder.iterdir() if not path.is_dir()]
    folders = [path for path in folder.iterdir() if path.is_dir()]
    return (
        (folder / SCENARIO).is_file()
        and ((folder / MANIFEST).is_file() or bool(folders))
        and all(path.name in WRITTEN or path.suffix in (".parquet", ".png", ".csv") for path in files)
        and all((path / MANIFEST).is_file() and _holds_results_alone(path) for path in folders)
    )


def _run_strategy(
    scenario: Scenario,
    strategy: StrategySettings,
    premises: Premises,
    folder: Path,
    report: Report | None,
) -> None:
    from sim.manifest import Manifest  # noqa: PLC0415
    from sim.recorder import Recorder  # noqa: PLC0415
    from sim.simulation import Simulation  # noqa: PLC0415

    label = label_of(strategy)
    alone = scenario.model_copy(update={"strategy": (strategy,)})
    (folder / SCENARIO).write_text(loader.dump(alone), encoding="utf-8")
    manifest = Manifest(
        scenario.name,
        label,
        scenario.seed,
        loader.content_hash(alone, premises.known),
        asdict(premises.placement) | {"device": str(premises.placement.device)},
    )
    manifest.write(folder)
    started = time.perf_counter()
    simulation: Simulation | None = None
    try:
        with Recorder(folder) as recorder:
            simulation = Simulation(
                scenario, strategy, premises.data, recorder, premises.placement, premises.renderer
            )
            with simulation.executor, _long_lived_spared():
                try:
                    simulation.run(partial(report, label) if report else None)
                except KeyboardInterrupt:
                    simulation.finish()
                    raise
                except Exception:  # whatever it is, it goes on, and what was complete is worth having
                    with suppress(Exception):  # the error before is what counts
                        simulation.conclusions.settle()
                    raise
                simulation.finish()
        manifest.status = "done"
    except KeyboardInterrupt:
        manifest.status = "interrupted"
        raise
    except Exception as error:  # whatever it is, the manifest names it before it goes on
        manifest.status, manifest.error = "failed", f"{type(error).__name__}: {error}"
        raise
    finally:
        if simulation is not None:
            manifest.simulated_s = simulation.progress().simulated_s
            manifest.damaged = simulation.damaged
            manifest.hopeless = simulation.hopeless
        manifest.wall_s = round(time.perf_counter() - started, 3)
        manifest.write(folder)
