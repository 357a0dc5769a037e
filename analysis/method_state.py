"""What went on inside the method during one run: thresholds of the criteria, losses, the replay buffer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.reading import read_table
from sim.results import LOSSES, QUARTERS

REPLAY_AGES = tuple(f"age_p{round(100 * level)}_s" for level in QUARTERS)


def criteria_over_time(folder: Path) -> pd.DataFrame:
    """Tabulate the state of the criteria after each batch: device, group, arrival_s, key and value.

    Keys are `<criterion>.<name>`, such as `unreliable.e_max`. Empty where the strategy has no criteria, or the
    folder was written before their state was recorded.
    """
    columns = ["device", "group", "arrival_s"]
    batches = read_table(folder, "batches", columns, optional=["criteria_state"])
    if "criteria_state" not in batches:
        return pd.DataFrame(columns=[*columns, "key", "value"])
    rows = [
        (*place, key, value)
        for place, state in zip(
            batches[columns].itertuples(index=False, name=None), batches["criteria_state"], strict=True
        )
        for key, value in (() if state is None else state)
    ]
    found = pd.DataFrame(rows, columns=[*columns, "key", "value"])
    return found.sort_values(["device", "key", "arrival_s"], ignore_index=True)


def losses_over_time(folder: Path) -> pd.DataFrame:
    """Tabulate the losses of each step of the cloud: student, finish_s, and one column for each loss.

    Steps and losses that the strategy does not have are left out.
    """
    updates = read_table(folder, "updates", ["student", "finish_s"], optional=LOSSES)
    present = [loss for loss in LOSSES if loss in updates and updates[loss].notna().any()]
    found = updates[["student", "finish_s", *present]]
    return found.dropna(how="all", subset=present, ignore_index=True) if present else found[:0]


def replay_age_over_time(folder: Path) -> pd.DataFrame:
    """Tabulate the replay buffer at the start of each step: student, start_s, replay_samples and ages.

    Ages are seconds since a sample arrived at its device; `age_p50_s` is their median. Empty without replay.
    """
    columns = ["student", "start_s"]
    updates = read_table(folder, "updates", columns, optional=["replay_samples", "replay_age_s"])
    if "replay_age_s" not in updates:
        return pd.DataFrame(columns=[*columns, "replay_samples", *REPLAY_AGES])
    known = [ages is not None and len(ages) == len(QUARTERS) for ages in updates["replay_age_s"]]
    filled = updates.loc[np.array(known, dtype=bool)]
    ages = np.array(filled["replay_age_s"].tolist(), dtype=np.float64).reshape(-1, len(QUARTERS))
    found = filled[[*columns, "replay_samples"]].reset_index(drop=True)
    return found.assign(**dict(zip(REPLAY_AGES, ages.T, strict=True)))
