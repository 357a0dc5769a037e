"""When the cloud published which version of a student."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass
class VersionLog:
    """The versions of one student; version 0 is the model as deployed at time 0.

    Attributes:
        published: time of each version in nanoseconds, by its number.

    """

    published: list[int] = field(default_factory=lambda: [0])

    def publish(self, number: int, now: int) -> None:
        """Note a version; raises ValueError unless numbers follow one another."""
        if number != len(self.published):
            raise ValueError(f"version {number} published after version {len(self.published) - 1}")
        self.published.append(now)

    def age(self, number: int, now: int) -> int:
        """Return how long ago a version was published, in nanoseconds."""
        return now - self.published[number]

    def behind(self, number: int, now: int) -> int:
        """Return how many versions were published after this one, up to and including `now`."""
        return bisect_right(self.published, now) - 1 - number
