"""The arrows between the rooms, and what every module must keep to."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("analysis", "models", "scenarios", "sim")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}
LIGHT = (
    "clock",
    "streams",
    "link",
    "life",
    "energy",
    "budget",
    "selection",
    "recorder",
    "messages",
    "versions",
    "results",
    "cli",
    "listing",
)
LONGEST = 400


def of(*rooms: str) -> list[str]:
    return [module for module in MODULES if module.split(".")[0] in rooms]


def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imported(module: str, nodes: Iterator[ast.AST]) -> set[str]:
    """Return the full names of what import statements among `nodes` bring in."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def at_module_level(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when the module is imported: not functions, not `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from at_module_level(other)
            continue
        yield child
        yield from at_module_level(child)


def within(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def test_all_rooms_have_modules():
    assert all(len(of(room)) > 5 for room in ROOMS)


@pytest.mark.parametrize("module", of("analysis"))
def test_analysis_knows_the_result_format_only(module):
    ours = {name for name in imported(module, ast.walk(tree(module))) if within(name, *ROOMS)}
    assert {name for name in ours if not within(name, "analysis", "sim.results")} == set()


@pytest.mark.parametrize("module", of("models", "scenarios"))
def test_models_and_scenarios_know_neither_simulation_nor_analysis(module):
    assert {
        name for name in imported(module, ast.walk(tree(module))) if within(name, "sim", "analysis")
    } == set()


@pytest.mark.parametrize("module", of("scenarios"))
def test_scenarios_import_models_only_by_name(module):
    assert {
        name for name in imported(module, at_module_level(tree(module))) if within(name, "models")
    } == set()


def test_light_modules_leave_torch_alone():
    names = ", ".join(f"sim.{name}" for name in LIGHT)
    program = (
        f"import sys, {names}; print(*(name for name in ('torch', 'models.executor') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == []


def test_the_result_format_stands_alone():
    assert not any(within(name, *ROOMS) for name in imported("sim.results", ast.walk(tree("sim.results"))))


def test_a_strategy_is_imported_by_nobody():
    strategies = [
        m for m in MODULES if within(m, "models.strategies") and not m.rpartition(".")[2].startswith("_")
    ]
    strategies.remove("models.strategies")
    for module in set(MODULES) - set(strategies):
        names = imported(module, ast.walk(tree(module)))
        assert not {name for name in names if within(name, *strategies)}, module


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_too_long(module):
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("module", MODULES)
def test_catching_everything_is_explained(module):
    lines = MODULES[module].read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except in line {node.lineno}"
            if {"Exception", "BaseException"} & {
                part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)
            }:
                assert "#" in lines[node.lineno - 1], (
                    f"unexplained in line {node.lineno}: {lines[node.lineno - 1]}"
                )


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are(module):
    if MODULES[module].read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree(module))
