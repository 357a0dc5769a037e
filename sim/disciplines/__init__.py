"""Queueing disciplines: which upload the cloud takes in next. One file each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from scenarios.settings import Settings

if TYPE_CHECKING:
    from sim.messages import Message


class Order(Protocol):
    """A discipline at work in one inbox."""

    def choose(self, waiting: Sequence[Message]) -> int:
        """Return the place of the upload to take in next; there is at least one, and the oldest comes first."""


class Base(Settings):
    """Settings of a discipline; `order` returns the discipline itself, without a past."""

    discipline: str

    def order(self) -> Order:
        """Return the discipline for one inbox."""
        raise NotImplementedError
