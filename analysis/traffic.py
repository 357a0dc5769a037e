"""What the devices sent and were sent: one place that adds up the transfers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.reading import read_table

_SIZES = ["payload_bytes", "header_bytes", "retransmitted_bytes"]
_LOST_MESSAGES = ["dropped", "superseded", "failed"]


def traffic_by_device(folder: Path) -> pd.DataFrame:
    """Add up one strategy's transfers: one row per device (the index) that was party to any.

    A channel over which versions go to several devices of a cell has a row of its own, as in the table.

    Columns: up and down (bytes sent: payload, headers and what was sent again, of transfers that have
    started; of those that failed for good only what was really sent), retransmitted (bytes, in both directions) and
    uploaded (samples handed to the uplink that it has not lost).
    """
    columns_read = ["device", "direction", "samples", "status", "start_s", *_SIZES]
    transfers = read_table(folder, "transfers", columns_read)
    up, started = transfers["direction"] == "up", transfers["start_s"].notna()
    sent = _bytes_by_state(transfers)["sent"]
    columns = {
        "up": sent.where(up, 0),
        "down": sent.where(~up, 0),
        "retransmitted": transfers["retransmitted_bytes"].where(started, 0),
        "uploaded": transfers["samples"].where(up & ~transfers["status"].isin(_LOST_MESSAGES), 0),
    }
    return pd.DataFrame(columns).groupby(transfers["device"]).sum().astype("int64")


def candidates_by_device(folder: Path) -> pd.Series[int]:
    """Count the samples that each device (the index) could upload: it predicted them, or asked the cloud about them."""
    batches = read_table(folder, "batches", ["device", "status", "samples", "start_s", "version"])
    asked = batches["start_s"].notna() & batches["version"].isna()
    could = batches[asked | (batches["status"] == "predicted")]
    return could.groupby("device")["samples"].sum().astype("int64")


def ledgers(folder: Path) -> dict[str, dict[str, int]]:
    """Account for the bytes of one strategy's links by what became of them: of `uplink` and `downlink` each state.

    Handed over is what is queued_bytes, sent_bytes or dropped_bytes, and sent what is delivered_bytes, lost_bytes or
    in_flight_bytes. Of a message that has arrived what was sent again is lost; of one that failed for good too, and its
    own bytes are dropped.
    """
    transfers = read_table(folder, "transfers", ["direction", "status", *_SIZES])
    bytes_in = _bytes_by_state(transfers)
    return {
        link: {
            f"{state}_bytes": int(sizes[transfers["direction"] == way].sum())
            for state, sizes in bytes_in.items()
        }
        for link, way in (("uplink", "up"), ("downlink", "down"))
    }


def _bytes_by_state(transfers: pd.DataFrame) -> dict[str, pd.Series[int]]:
    """Return by state how many bytes of each transfer are in it."""
    again = transfers["retransmitted_bytes"]
    whole, status = transfers[_SIZES].sum(axis=1), transfers["status"]
    bytes_in = {
        "queued": whole.where(status == "queued", 0),
        "delivered": (whole - again).where(status == "delivered", 0),
        "lost": again.where(status.isin(["delivered", "failed"]), 0),
        "in_flight": whole.where(status == "in_flight", 0),
        "dropped": whole.where(status.isin(["dropped", "superseded"]), 0)
        + (whole - again).where(status == "failed", 0),
    }
    return bytes_in | {"sent": bytes_in["delivered"] + bytes_in["lost"] + bytes_in["in_flight"]}
