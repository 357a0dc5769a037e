"""What the devices sent and were sent: one place that adds up the transfers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.reading import read_table

_SIZES = ["payload_bytes", "header_bytes", "retransmitted_bytes"]


def traffic_by_device(folder: Path) -> pd.DataFrame:
    """Add up one strategy's transfers: one row per device (the index) that was party to any.

    Columns: up and down (bytes sent: payload, headers and what was sent again, of transfers that have
    started; of those that failed for good only what was really sent), retransmitted (bytes, in both directions) and
    uploaded (samples handed to the uplink).
    """
    columns_read = ["device", "direction", "samples", "status", "start_s", *_SIZES]
    transfers = read_table(folder, "transfers", columns_read)
    up, started = transfers["direction"] == "up", transfers["start_s"].notna()
    arriving = transfers["status"] != "failed"
    sent = transfers[_SIZES].sum(axis=1).where(arriving, transfers["retransmitted_bytes"])
    columns = {
        "up": sent.where(up & started, 0),
        "down": sent.where(~up & started, 0),
        "retransmitted": transfers["retransmitted_bytes"].where(started, 0),
        "uploaded": transfers["samples"].where(up, 0),
    }
    return pd.DataFrame(columns).groupby(transfers["device"]).sum().astype("int64")
