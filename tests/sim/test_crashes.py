from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from pydantic import ValidationError

from scenarios.cloud import Crashes as CrashSettings
from sim.clock import SECOND, Clock
from sim.crashes import Crashes


@dataclass
class Diary:
    clock: Clock
    events: list = field(default_factory=list)

    def note(self, event):
        self.events.append((self.clock.time / SECOND, event))

    def crash(self):
        self.note("crash")

    def restart(self):
        self.note("restart")

    def checkpoint(self):
        self.note("checkpoint")


def play(until, seed=0, **settings):
    clock = Clock()
    diary = Diary(clock)
    generator = np.random.default_rng(seed)
    Crashes(clock, CrashSettings.model_validate(settings), generator, diary).start()
    clock.run(until=round(until * SECOND))
    return diary.events


def test_scheduled_crashes():
    """The one at 2.5 s meets a cloud that is down, and so does the checkpoint at 3 s."""
    events = play(10.0, at_s=[2.0, 2.5, 6.0], restart_s=1.5, checkpoint_every_s=3.0)
    assert events == [
        (2.0, "crash"),
        (3.5, "restart"),
        (6.0, "crash"),
        (7.5, "restart"),
        (9.0, "checkpoint"),
    ]


def test_a_restart_can_take_no_time():
    assert play(3.0, at_s=[1.0], restart_s=0.0) == [(1.0, "crash"), (1.0, "restart")]


def test_times_up_are_exponential():
    """Of some 2000 draws the mean lies within five standard errors, and so does the share beyond the mean, 1/e."""
    events = play(40_000.0, mean_up_s=20.0, restart_s=0.5)
    crashes = [time for time, event in events if event == "crash"]
    restarts = [0.0] + [time for time, event in events if event == "restart"]
    up = np.array([crash - restart for restart, crash in zip(restarts, crashes, strict=False)])
    assert len(up) > 1500
    assert abs(up.mean() - 20) < 5 * 20 / np.sqrt(len(up))
    share = np.exp(-1)
    assert abs((up > 20).mean() - share) < 5 * np.sqrt(share * (1 - share) / len(up))


def test_a_scheduled_crash_leaves_one_time_up_at_a_time():
    """The time drawn first would have ended while it is up again: after a restart another one counts alone."""
    first, second = np.random.default_rng(0).exponential(20.0, 2)
    at_s = first / 2
    events = play(at_s + 1 + second + 1, at_s=[at_s], mean_up_s=20.0, restart_s=1.0)
    assert [event for _, event in events[:3]] == ["crash", "restart", "crash"]
    assert events[2][0] == pytest.approx(at_s + 1.0 + second, abs=1e-8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"restart_s": 1.0}, "say when: at_s, mean_up_s or both"),
        ({"restart_s": 1.0, "at_s": [3.0, 3.0]}, "must increase, but 3 is followed by 3"),
        ({"at_s": [3.0]}, "restart_s"),
        ({"restart_s": 1.0, "at_s": [0.0]}, "greater than 0"),
        ({"restart_s": 1.0, "mean_up_s": float("inf")}, "finite"),
    ],
)
def test_mistakes(settings, message):
    with pytest.raises(ValidationError, match=message):
        CrashSettings.model_validate(settings)
