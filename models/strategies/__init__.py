"""Strategies: who adapts what, where, on which samples. One file each, registered under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from scenarios.settings import Name, Settings

if TYPE_CHECKING:
    from models.strategies._interface import Laboratory, Strategy


class Base(Settings):
    """Settings of a strategy; `build` returns the strategy itself for one run."""

    name: str
    label: Name | None = None
    """Name of the result folder, where one strategy stands twice in a list; the strategy's name by default."""

    needs_foundation: ClassVar[bool] = False
    needs_clean_images: ClassVar[bool] = False

    def groups_sending_statistics(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of a scenario's groups of whose devices some send statistics to the cloud; none by default."""
        return ()

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for a run with the laboratory's models and random streams."""
        raise NotImplementedError
