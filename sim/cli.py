"""The command line, `cema`. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

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
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where models are computed.")
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but mistakes.")] = False,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Let the scenario's model factories run Python.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing result folder.")] = False,
) -> None:
    """Run a scenario and write its result folder (by default results/<scenario>-<seed>)."""
    from models.errors import InputError  # noqa: PLC0415
    from scenarios.loader import ScenarioError, load  # noqa: PLC0415

    with mistakes(ScenarioError, InputError):
        loaded = load(scenario, settings or (), seed)
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


def _show(folder: Path) -> None:
    from analysis.console import result_table, shift_table  # noqa: PLC0415

    output.print(result_table(folder))
    output.print(shift_table(folder))
    output.print(f"results and figures: {folder}", markup=False, soft_wrap=True)


@app.command()
def validate(scenario: ScenarioArgument, settings: SetOption = None) -> None:
    """Check a scenario without running it; every mistake is reported, with its line."""
    from scenarios.loader import ScenarioError, load  # noqa: PLC0415

    with mistakes(ScenarioError):
        loaded = load(scenario, settings or ())
    devices = sum(group.count for group in loaded.groups.values())
    strategies = ", ".join(strategy.label or strategy.name for strategy in loaded.strategy)
    output.print(
        f"{loaded.name}: valid. Devices: {devices}, groups: {len(loaded.groups)}, "
        f"{loaded.duration_s:g} simulated seconds, strategies: {strategies}",
        markup=False,
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from scenarios.schema import Scenario  # noqa: PLC0415

    print(json.dumps(Scenario.model_json_schema(), indent=2))


@app.command("list")
def list_names() -> None:
    """List what a scenario can name: packaged scenarios, strategies, models, data sets, codecs, corruptions."""
    from rich.table import Table  # noqa: PLC0415

    from sim.listing import listing  # noqa: PLC0415

    for title, rows in listing().items():
        table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
        for name, description in rows:
            table.add_row(f"  {name}", description)
        output.print(table)
        output.print()


@app.command()
def plot(folder: FolderArgument) -> None:
    """Draw the figures of a result folder again, and print its tables."""
    from analysis.conclusion import conclude  # noqa: PLC0415
    from analysis.reading import ResultsError  # noqa: PLC0415

    with mistakes(ResultsError):
        conclude(folder)
        _show(folder)


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
