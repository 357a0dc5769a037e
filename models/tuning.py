"""How many images should share a pass: measured once on a machine, for a model, and remembered.

The answer lies in a file for each model, machine and number of threads, in the folder `cema` of the user's cache
(XDG_CACHE_HOME, by default ~/.cache). Delete it to have it measured again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from models.executor import Executor
from models.hardware import processor
from models.normalisation import AdaptableModel, Statistics, convert
from models.placement import Placement
from models.sources import LoadedModel

SIZES = {"cpu": (4, 8, 16, 32, 64, 128), "cuda": (16, 32, 64, 128, 256, 512, 1024)}
"""Images in a pass, of those that are tried."""

TOLERATED = 1.1
"""The smallest pass is chosen whose images take no longer than this times those of the fastest."""

ROUNDS = 3
BUDGET_S = 3.0
"""Seconds after which no larger pass is tried."""


def images_per_pass(source: LoadedModel, image_shape: tuple[int, int, int], placement: Placement) -> int:
    """Return how many images of shape (H, W, C) a pass should hold; the model is converted for adaptation."""
    convert(source.network)  # before it is looked up: a network is known by its layers
    folder = _folder()
    file = None if folder is None else folder / f"{_key(source, image_shape, placement)}.json"
    if file is not None and (known := _remembered(file)):
        return known
    times = measure(source, image_shape, placement)
    size = choose(times)
    if file is None:
        return size
    _remember(file, {"images_per_pass": size, "seconds_per_image": times})
    return _remembered(file) or size  # of several processes that measured at a time, all take what one found


def _remembered(file: Path) -> int | None:
    with suppress(
        OSError, ValueError, KeyError, TypeError
    ):  # none yet, or none that can be read: to be measured
        size = json.loads(file.read_text(encoding="utf-8"))["images_per_pass"]
        return size if isinstance(size, int) and size > 0 else None
    return None


def _remember(file: Path, answer: dict[str, Any]) -> None:
    """Write a file, unless there is a good one; where nothing can be written, the next run measures again."""
    draft = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        if _remembered(file) is None:
            file.unlink(missing_ok=True)
        try:
            draft.write_text(json.dumps(answer), encoding="utf-8")
            with suppress(FileExistsError):
                os.link(draft, file)
        except OSError:  # no links here
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)


def measure(source: LoadedModel, image_shape: tuple[int, int, int], placement: Placement) -> dict[int, float]:
    """Return the seconds that an image takes by size of the pass, from small ones up to where they gain no more."""
    device = placement.device
    model = AdaptableModel(source.network, device, placement.arithmetic)
    state = model.read()
    images = np.zeros((max(SIZES[device.type]), *image_shape), np.uint8)

    def seconds_per_image(executor: Executor, size: int) -> float:
        """Return the least of some rounds, which whatever else the machine is at disturbs least."""
        rounds = []
        for _ in range(1 + ROUNDS):
            start = perf_counter()
            executor.forward(model, source, images[:size], state, Statistics.RUNNING).result()
            rounds.append((perf_counter() - start) / size)
        return min(rounds[1:])  # the first sets things up

    times: dict[int, float] = {}
    began = perf_counter()
    with Executor(replace(placement, overlaps=False)) as executor:
        for size in SIZES[device.type]:
            try:
                times[size] = seconds_per_image(executor, size)
            except torch.OutOfMemoryError:
                if not times:
                    raise
                break
            *before, last_but_one, last = (math.inf, math.inf, *times.values())
            if min(last_but_one, last) > 0.95 * min(before) or perf_counter() - began > BUDGET_S:
                break
    return times


def choose(times: dict[int, float]) -> int:
    """Return the smallest size whose time for each image is close to the least."""
    least = min(times.values())
    return min(size for size, time in times.items() if time <= TOLERATED * least)


def _folder() -> Path | None:
    """Return the folder of the cache, or None for a user without a home."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "cema"
    try:
        return Path.home() / ".cache" / "cema"
    except RuntimeError:
        return None


def _key(source: LoadedModel, image_shape: tuple[int, int, int], placement: Placement) -> str:
    """Return a name for all that the answer depends on."""
    on_gpu = placement.device.type == "cuda"
    known = (
        str(source.network),
        source.preparation,
        image_shape,
        torch.cuda.get_device_name(placement.device) if on_gpu else processor(),
        placement.pass_threads,
        placement.arithmetic,
        torch.__version__,
    )
    return hashlib.sha256(repr(known).encode()).hexdigest()[:32]
