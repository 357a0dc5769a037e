"""Makes the packaged traces: `python -m scenarios.traces.generate` writes the files beside this one again.

They are synthetic: no network was measured. Levels and rhythms are chosen to look like published measurements of their
kind, and every number of the choice stands below. The same bytes come out on every machine: only `random.random` is
drawn from, which Python keeps stable, and results are rounded.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

from scenarios.traces import FOLDER

OPPORTUNITY_BITS = 1500 * 8


def lte_drive() -> str:
    """Return a minute of LTE uplink from a moving car, in Mahimahi's format.

    The logarithm of the rate wanders about that of 1.3 Mbit/s (deviation 0.6, memory 4 s, a step each 100 ms). About
    every 12 s a handover stops everything for 50 to 300 ms. What a millisecond carries adds up until it is 1500 bytes.
    """
    draw = random.Random("lte-drive")
    level = _wandering(draw, steps_of_memory=40)
    rate, gap_until, opportunities, bits = 0.0, 0, [], 0.0
    for time in range(60_000):
        if time % 100 == 0:
            rate = 1.3e6 * math.exp(0.6 * next(level))
        if draw.random() < 1 / 12_000:
            gap_until = time + 50 + int(250 * draw.random())
        if time >= gap_until:
            bits += rate / 1000
        while bits >= OPPORTUNITY_BITS:
            bits -= OPPORTUNITY_BITS
            opportunities.append(time + 1)
    if opportunities[-1] != 60_000:
        opportunities.append(60_000)  # the last time is the period
    return "".join(f"{time}\n" for time in opportunities)


def wifi_office() -> str:
    """Return ten minutes of office Wi-Fi, a line each second.

    The bandwidth wanders about 45 Mbit/s (deviation 8, memory 10 s). About every 40 s others become busy, for 8 s on
    average, and leave 5 to 25 % of it.
    """
    draw = random.Random("wifi-office")
    level = _wandering(draw, steps_of_memory=10)
    left, busy = 1.0, False
    lines = ["time_s,mbps"]
    for time_s in range(600):
        if draw.random() < (1 / 8 if busy else 1 / 40):
            busy = not busy
            left = 0.05 + 0.2 * draw.random() if busy else 1.0
        lines.append(f"{time_s},{max(1.0, (45 + 8 * next(level)) * left):.2f}")
    return "\n".join(lines) + "\n"


def rush_hour() -> str:
    """Return a day of a user's share of a busy mobile network, a line each five minutes from midnight on.

    20 Mbit/s at night; the busy times are bells around 8:15 (an hour wide, takes 60 %), 13:00 (3 hours, 45 %), 17:45
    (1.2 hours, 65 %) and 21:00 (2 hours, 55 %), each of what the others leave; and a noise of 6 %.
    """
    draw = random.Random("rush-hour")
    noise = _wandering(draw, steps_of_memory=3)
    bells = ((8.25, 1.0, 0.6), (13.0, 3.0, 0.45), (17.75, 1.2, 0.65), (21.0, 2.0, 0.55))
    lines = ["time_s,mbps"]
    for time_s in range(0, 86_400, 300):
        mbps = 20 * math.exp(0.06 * next(noise))
        for at_h, wide_h, takes in bells:
            away_h = (time_s / 3600 - at_h + 12) % 24 - 12  # the short way round the clock
            mbps *= 1 - takes * math.exp(-((away_h / wide_h) ** 2) / 2)
        lines.append(f"{time_s},{mbps:.2f}")
    return "\n".join(lines) + "\n"


def latency_lte() -> str:
    """Return 1000 one-way latencies of an LTE network, in ms.

    Log-normal with a median of 45 ms and a sigma of 0.3; 3 % of them meet a handover, which adds 100 to 300 ms.
    """
    draw = random.Random("latency-lte")
    lines = ["latency_ms"]
    for _ in range(1000):
        latency_ms = 45 * math.exp(0.3 * _normal(draw))
        handover_ms = 100 + 200 * draw.random() if draw.random() < 0.03 else 0.0
        lines.append(f"{latency_ms + handover_ms:.2f}")
    return "\n".join(lines) + "\n"


def _normal(draw: random.Random) -> float:
    """Draw a standard normal number by the inverse of its distribution."""
    return NormalDist().inv_cdf(max(draw.random(), 2**-53))  # 0 has none


def _wandering(draw: random.Random, steps_of_memory: float) -> Iterator[float]:
    """Yield standard normal numbers whose correlation falls to 1/e within so many steps."""
    correlation = math.exp(-1 / steps_of_memory)
    value = _normal(draw)
    while True:
        yield value
        value = correlation * value + math.sqrt(1 - correlation**2) * _normal(draw)


TRACES = {
    "latency-lte.csv": latency_lte,
    "lte-drive.up": lte_drive,
    "rush-hour.csv": rush_hour,
    "wifi-office.csv": wifi_office,
}
"""What makes each packaged trace."""


def write(folder: Path) -> None:
    """Write every trace into a folder."""
    for name, make in TRACES.items():
        (folder / name).write_bytes(make().encode("ascii"))


if __name__ == "__main__":
    write(FOLDER)
