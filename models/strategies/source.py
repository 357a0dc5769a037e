"""Source: the edge model as deployed, never adapted. The floor of every comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies import Base

if TYPE_CHECKING:
    from models.strategies._interface import DeviceName, EdgeAgent, Laboratory, Strategy


class Source(Base):
    """Every device keeps the source parameters and source statistics and sends nothing."""

    name: Literal["source"] = "source"

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return SourceStrategy(laboratory)


class SourceStrategy:
    """The strategy in one run."""

    cloud = None

    def __init__(self, laboratory: Laboratory) -> None:
        self.laboratory = laboratory

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a device that only predicts."""
        from models.strategies._edge import ForwardOnly  # noqa: PLC0415

        return ForwardOnly(self.laboratory)

    def student(self, device: DeviceName) -> str:
        """Return the one name that all devices share: nothing is ever published."""
        return "source"
