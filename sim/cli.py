"""The command line, `cema`. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from sim.bench.suite import NAMES as BENCHMARKS

if TYPE_CHECKING:
    from scenarios.schema import Scenario
    from scenarios.study_loader import Plan
    from sim.bench.result import Result

app = typer.Typer(
    name="cema",
    help="A laboratory for cloud-edge test-time adaptation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
output = Console()
errors = Console(stderr=True, highlight=False, soft_wrap=True)

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="FILE|NAME", help="A scenario file, or the name of a packaged one.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Replace a field, as in groups.lte.count=8. Repeatable."
    ),
]
SeedOption = Annotated[int | None, typer.Option(help="Replace the scenario's seed.")]
SeedsOption = Annotated[
    str | None, typer.Option(metavar="SEEDS", help="Replace the seeds, as in 0-4 or 0,1,5.")
]
RunsOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where runs are stored, and found by other studies (OUT/runs)."),
]
JobsOption = Annotated[
    int | None, typer.Option(min=1, help="Runs made at a time; by default one for each usable core.")
]
DeviceOption = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where models are computed.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print nothing but mistakes.")]
CodeOption = Annotated[
    bool, typer.Option("--allow-code", help="Let the scenario's model factories run Python.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="List the runs and make none.")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A result folder.")]


def main() -> None:
    """Run the command line."""
    app()


@contextmanager
def mistakes(*kinds: type[Exception]) -> Iterator[None]:
    """Turn the user's mistakes into one message on standard error and exit status 2."""
    try:
        yield
    except kinds as error:
        errors.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None


@app.command()
def run(
    scenario: ScenarioArgument,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Result folder.")] = None,
    seed: SeedOption = None,
    settings: SetOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    allow_code: CodeOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing result folder.")] = False,
) -> None:
    """Run a scenario and write its result folder (by default results/<scenario>-<seed>)."""
    from models.errors import InputError  # noqa: PLC0415
    from scenarios.loader import ScenarioError, load  # noqa: PLC0415

    with mistakes(ScenarioError, InputError):
        loaded = load(scenario, settings or (), seed)
        if not quiet:
            _remark_on(loaded)
        from sim.progress import progress_display  # noqa: PLC0415
        from sim.run import Options, default_folder, run_scenario  # noqa: PLC0415

        folder = out or default_folder(loaded)
        try:
            with progress_display(None if quiet else output, loaded.duration_s) as report:
                run_scenario(loaded, folder, Options(device, force, allow_code), report)
        except KeyboardInterrupt as interrupt:
            text = "; ".join(["interrupted", *getattr(interrupt, "__notes__", [])])
            errors.print(text, style="yellow", markup=False)
            raise typer.Exit(130) from None
    if not quiet:
        _show(folder)


def _remark_on(scenario: Scenario) -> None:
    from scenarios.remarks import remarks  # noqa: PLC0415

    for remark in remarks(scenario):
        output.print(remark, style="yellow", markup=False, soft_wrap=True)


def _show(folder: Path) -> None:
    from analysis.console import result_table, shift_table  # noqa: PLC0415
    from analysis.notes import notes  # noqa: PLC0415
    from analysis.occurrences import occurrences_table  # noqa: PLC0415

    output.print(result_table(folder))
    output.print(shift_table(folder))
    happened = occurrences_table(folder)
    if happened is not None:
        output.print(happened)
    for note in notes(folder):
        output.print(note, style="yellow", markup=False, soft_wrap=True)
    output.print(f"results and figures: {folder}", markup=False, soft_wrap=True)


@app.command()
def sweep(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="A study file, or the name of a packaged one.")
    ],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the study.")] = None,
    runs: RunsOption = None,
    seeds: SeedsOption = None,
    settings: SetOption = None,
    jobs: JobsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    allow_code: CodeOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Run a study: a scenario at many points, with several strategies and seeds (into results/<study>).

    What is done already is not run again, so that an interrupted study goes on where it stopped.
    """
    from scenarios.loader import ScenarioError  # noqa: PLC0415
    from scenarios.study_loader import load  # noqa: PLC0415
    from sim.ablation import variants  # noqa: PLC0415

    with mistakes(ScenarioError):
        plan = load(study, variants, settings or (), seeds)
    _conduct(plan, out, runs, jobs, device, quiet, allow_code, dry_run)


@app.command()
def ablate(
    scenario: ScenarioArgument,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the study.")] = None,
    runs: RunsOption = None,
    seeds: SeedsOption = None,
    settings: SetOption = None,
    jobs: JobsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    allow_code: CodeOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Take a scenario's CEMA apart: each criterion, replay and the foundation's update on and off.

    Each selection rule stands beside random selection of as many samples. The folder is results/<scenario>-ablation;
    what is done already is not run again.
    """
    from scenarios.loader import ScenarioError  # noqa: PLC0415
    from scenarios.study_loader import ablate as plan_ablation  # noqa: PLC0415
    from sim.ablation import variants  # noqa: PLC0415

    with mistakes(ScenarioError):
        plan = plan_ablation(scenario, variants, settings or (), seeds)
    _conduct(plan, out, runs, jobs, device, quiet, allow_code, dry_run)


def _conduct(
    plan: Plan,
    out: Path | None,
    store: Path | None,
    jobs: int | None,
    device: str,
    quiet: bool,
    allow_code: bool,
    dry_run: bool,
) -> None:
    """Run a study, show its tables and end with its exit status."""
    from models.errors import InputError  # noqa: PLC0415
    from scenarios.loader import ScenarioError  # noqa: PLC0415
    from sim.run import Options  # noqa: PLC0415
    from sim.store import RUNS  # noqa: PLC0415
    from sim.study import Session  # noqa: PLC0415
    from sim.study_display import print_units, study_display  # noqa: PLC0415
    from sim.study_notes import failures, notes  # noqa: PLC0415
    from sim.workers import Workers, usable_cores  # noqa: PLC0415

    folder = out or Path("results") / plan.study.name
    with mistakes(ScenarioError):
        session = Session(plan, folder, store or folder / RUNS)
    if dry_run:
        print_units(output, session)
        return
    jobs = jobs or usable_cores()
    options = Options(device, allow_code=allow_code, figures=False)
    with mistakes(InputError):
        session.prepare(options)
    try:
        with study_display(None if quiet else output, session, jobs) as watch:
            session.run(Workers(jobs, options), watch)
        if session.count("done"):
            _conclude(folder, quiet)
    except KeyboardInterrupt:
        done = f"{session.count('done')} of {len(session.units)} runs are done"
        text = f"interrupted: {done}; the same command goes on from there ({folder})"
        errors.print(text, style="yellow", markup=False)
        raise typer.Exit(130) from None
    for failure in failures(session):
        errors.print(failure, style="red", markup=False)
    for note in [] if quiet else notes(session):
        output.print(note, markup=False, highlight=False, soft_wrap=True)
    if not quiet:
        output.print(f"study: {folder}", markup=False, soft_wrap=True)
    raise typer.Exit(session.exit_status())


def _conclude(folder: Path, quiet: bool) -> None:
    from analysis.study import conclude_study  # noqa: PLC0415
    from analysis.study_console import study_tables  # noqa: PLC0415

    conclude_study(folder)
    for table in [] if quiet else study_tables(folder):
        output.print(table)


@app.command()
def validate(scenario: ScenarioArgument, settings: SetOption = None) -> None:
    """Check a scenario without running it; every mistake is reported, with its line."""
    from scenarios.loader import ScenarioError, load  # noqa: PLC0415
    from scenarios.settings import number_text  # noqa: PLC0415

    with mistakes(ScenarioError):
        loaded = load(scenario, settings or ())
    devices = sum(group.count for group in loaded.groups.values())
    strategies = ", ".join(strategy.label or strategy.name for strategy in loaded.strategy)
    output.print(
        f"{loaded.name}: valid. Devices: {devices}, groups: {len(loaded.groups)}, "
        f"{number_text(loaded.duration_s)} simulated seconds, strategies: {strategies}",
        markup=False,
    )
    _remark_on(loaded)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from scenarios.schema import Scenario  # noqa: PLC0415

    print(json.dumps(Scenario.model_json_schema(), indent=2))


@app.command("list")
def list_names(
    title: Annotated[
        str | None, typer.Argument(help="Show this alone: devices, links, strategies or another title.")
    ] = None,
) -> None:
    """List what a scenario can name: packaged scenarios, strategies, models, data sets, codecs, corruptions, profiles.

    Profiles of devices, links and accelerators are shown with their figures.
    """
    from sim.listing import TitleError, tables  # noqa: PLC0415

    with mistakes(TitleError):
        for table in tables(title):
            output.print(table)
            output.print()


@app.command()
def plot(folder: FolderArgument) -> None:
    """Draw the figures of a result or study folder again, and print its tables."""
    from analysis.conclusion import conclude  # noqa: PLC0415
    from analysis.reading import ResultsError  # noqa: PLC0415
    from analysis.runs import is_study  # noqa: PLC0415

    with mistakes(ResultsError):
        if is_study(folder):
            _conclude(folder, quiet=False)
        else:
            conclude(folder)
            _show(folder)


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Result and study folders.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write tables and figures into this folder.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write into --out although it holds something.")
    ] = False,
) -> None:
    """Compare runs of any kind: single ones, folders of several strategies, and studies.

    Runs with the same seed are paired; the first strategy is the reference.
    """
    from analysis.gathering import gather  # noqa: PLC0415
    from analysis.measures import Measures  # noqa: PLC0415
    from analysis.reading import ResultsError  # noqa: PLC0415
    from analysis.study import comparison_folder, write_conclusion  # noqa: PLC0415
    from analysis.study_console import measure_tables  # noqa: PLC0415

    with mistakes(ResultsError):
        measures = Measures(gather(folders))
        destination = None if out is None else comparison_folder(out, force=force)
        for table in measure_tables(measures):
            output.print(table)
        if destination is not None:
            write_conclusion(measures, destination)
            output.print(f"tables and figures: {out}", markup=False, soft_wrap=True)


@app.command()
def pretrain(
    recipe: Annotated[str, typer.Argument(help="What to train: fashion-mnist.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where models and cards are written.")] = Path(
        "pretrained"
    ),
    seed: Annotated[int, typer.Option(help="Seeds initial weights, order and augmentation.")] = 0,
    model: Annotated[
        list[str] | None, typer.Option(help="Train this model of the recipe alone. Repeatable.")
    ] = None,
) -> None:
    """Train a recipe's models from scratch, evaluate them and write weights and model cards."""
    from models.errors import InputError  # noqa: PLC0415
    from models.pretraining.recipes import pretrain_all  # noqa: PLC0415
    from sim.progress import step_display  # noqa: PLC0415

    with mistakes(InputError), step_display(output) as report:
        pretrain_all(recipe, model, seed, out, report)


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help=f"Of {', '.join(BENCHMARKS)}; by default all."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Every figure with every round, as JSON.")] = Path(
        "results/bench.json"
    ),
    rounds: Annotated[int, typer.Option(min=1, help="How often each side is measured.")] = 5,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Measure what the laboratory costs, as ratios to plain code in the same process, against their targets.

    About ten minutes for all, on two cores. A target that is missed is reported and no mistake.
    """
    from models.errors import InputError  # noqa: PLC0415
    from sim.bench.display import bench_display, figures_table, remarks  # noqa: PLC0415
    from sim.bench.environment import environment  # noqa: PLC0415
    from sim.bench.suite import chosen, measured, write  # noqa: PLC0415

    with mistakes(InputError):
        wanted = chosen(names or ())
        surroundings = environment(device)
        results: list[Result] = []
        write(out, surroundings, rounds, results)  # before minutes are spent on what cannot be kept
        try:
            with bench_display(None if quiet else output) as report:
                for result in measured(wanted, rounds, device, report):
                    results.append(result)
                    write(out, surroundings, rounds, results)
        except KeyboardInterrupt:
            errors.print(
                f"interrupted; {len(results)} of {len(wanted)} benchmarks are in {out}", style="yellow"
            )
            raise typer.Exit(130) from None
    if not quiet:
        output.print(figures_table(results))
        for line in remarks(results):
            output.print(line, markup=False, highlight=False, soft_wrap=True)
        output.print(f"every round: {out}", markup=False, soft_wrap=True)
