"""The result format: which files a run leaves behind, and the columns of its tables.

Every table is parquet with the columns below; times are simulated seconds since the start, sizes are bytes.
Lists have one entry per sample of the batch. The rooms `sim` (which writes) and `analysis` (which reads) share
this module and nothing else.
"""

from __future__ import annotations

import pyarrow as pa

SCENARIO = "scenario.yaml"  # fully resolved
MANIFEST = "manifest.json"
SUMMARY = "summary.json"
COMPARISON = "comparison.csv"  # in the parent folder, where several strategies ran

# One row per batch that arrived at a device.
BATCHES = pa.schema(
    [
        ("device", pa.string()),
        ("group", pa.string()),
        ("batch", pa.int64()),  # counts the device's arrivals from 0
        # predicted, dropped (no room or too late), damaged (no image could be read), missed (the device was away),
        # lost (in a crash, or the question that it was to the cloud will never be answered), or at the end of the run
        # queued or in_progress
        ("status", pa.string()),
        ("arrival_s", pa.float64()),
        ("start_s", pa.float64()),  # of the forward pass; null unless it began
        ("completion_s", pa.float64()),  # null unless predicted
        ("corruption", pa.string()),  # none, the corruption's name, or mixed
        ("severity", pa.int8()),  # 0 without corruption
        (
            "version",
            pa.int32(),
        ),  # of the edge model that predicted; 0 is as deployed, null where the cloud predicted
        (
            "version_age_s",
            pa.float64(),
        ),  # start_s less the time of publication; version 0 counts as published at 0
        ("versions_behind", pa.int32()),  # versions that the cloud had published beyond it by start_s
        (
            "samples",
            pa.int32(),
        ),  # without damaged ones; all of a batch whose images nobody read
        ("damaged", pa.int32()),  # whose images could not
        ("correct", pa.int32()),
        (
            "kept",
            pa.int32(),
        ),  # samples that passed every criterion, to be uploaded unless a reset came before or a budget forbids it
        ("flops", pa.int64()),  # spent by the device
        ("forward_pass", pa.int64()),  # of the edge model: batches of one number were computed together
        ("criteria_state", pa.map_(pa.string(), pa.float64())),  # after the batch: `<criterion>.<name>`
        ("condition", pa.list_(pa.string())),  # of each sample of a mixture, as fog-5 or none; null otherwise
        ("image", pa.list_(pa.int32())),  # index into the data set
        ("label", pa.list_(pa.int32())),
        ("prediction", pa.list_(pa.int32())),
        ("entropy", pa.list_(pa.float32())),  # of the softmax, in nats
        (
            "verdict",
            pa.list_(pa.string()),
        ),  # kept, local (never meant for upload), or the name of the first criterion that excluded the sample
    ]
)

# One row per message handed to a link.
TRANSFERS = pa.schema(
    [
        ("device", pa.string()),
        ("group", pa.string()),
        ("direction", pa.string()),  # up (device to cloud) or down
        ("message", pa.int64()),  # counts the messages of this device and direction from 0
        ("kind", pa.string()),  # samples, statistics, join, update, answer or acknowledgement
        # delivered; dropped from a full outbox, superseded there by a newer version, failed for good in outages; at the
        # end of the run queued or in_flight
        ("status", pa.string()),
        ("samples", pa.int32()),  # images or predictions in the message; 0 for statistics and updates
        ("quality", pa.int16()),  # level of the samples' encoding, 0 the best; null where there is one alone
        ("version", pa.int32()),  # version carried down; null on the way up
        ("payload_bytes", pa.int64()),  # as really encoded
        ("header_bytes", pa.int64()),
        # Lost on the way, or sent in attempts that failed, and sent again. Sent are payload, header and these once its
        # turn has come; these alone where it failed for good: its own bytes count as dropped.
        ("retransmitted_bytes", pa.int64()),
        ("attempts", pa.int32()),  # how often its sending began; 0 before its turn
        ("queued_s", pa.float64()),  # handed to the link
        ("start_s", pa.float64()),  # its turn: first bit leaves, unless the link is down; null before
        # Last bit leaves; a link of its own knows it beforehand, even where it lies beyond the end of the run.
        ("sent_s", pa.float64()),
        ("delivered_s", pa.float64()),  # null unless delivered
    ]
)

LOSSES = (
    "foundation_loss",
    "distillation_loss",
    "entropy_term",
    "kl_term",
    "cross_entropy_term",
    "adaptation_loss",
)
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)

# One row per step that the cloud took, and per step that was ready when the cloud crashed.
UPDATES = pa.schema(
    [
        ("student", pa.string()),  # the scope's name: fleet, a group or a device; or foundation
        ("step", pa.int64()),  # counts the student's steps from 0
        ("kind", pa.string()),  # batch, replay (on replayed samples alone), statistics or answer
        ("status", pa.string()),  # finished, lost (to a crash) or unfinished (at the end of the run)
        ("ready_s", pa.float64()),  # the upload that completed its samples arrived
        ("start_s", pa.float64()),  # null where a crash came before
        ("finish_s", pa.float64()),  # may lie beyond the end of the run; of a lost step the crash
        ("new_samples", pa.int32()),
        ("replayed_samples", pa.int32()),
        # Null where the step has no such loss: the foundation model's; the student's, with its unweighted terms;
        # that of a method without a teacher.
        *((loss, pa.float64()) for loss in LOSSES),
        (
            "replay_samples",
            pa.int32(),
        ),  # in the student's replay buffer when the step began; null without one
        ("replay_age_s", pa.list_(pa.float64())),  # since they arrived: the quantiles at QUARTERS
        ("flops", pa.int64()),  # 0 for a step that was not finished
        (
            "version",
            pa.int32(),
        ),  # published when the step finished, counted from the last reset; null where none was
    ]
)

ENERGY = ("compute", "idle", "transmit", "receive")

# One row per device, at the end of the run. In both directions sent = delivered + lost + in_flight; what went to
# several devices of a cell together is in the transfers alone. samples_arrived = samples_predicted + samples_queued
# + samples_in_progress + samples_dropped + samples_damaged + samples_missed + samples_lost.
# Kept samples, but for those whose batch a reset overtook, are samples_uploaded + samples_lost_by_uplink
# + samples_withheld + samples_waiting.
DEVICES = pa.schema(
    [
        ("device", pa.string()),
        ("group", pa.string()),
        ("student", pa.string()),
        ("version", pa.int32()),  # held at the end; null where the cloud predicted
        ("samples_arrived", pa.int64()),
        ("samples_predicted", pa.int64()),
        ("samples_queued", pa.int64()),
        ("samples_in_progress", pa.int64()),
        ("samples_dropped", pa.int64()),
        ("samples_damaged", pa.int64()),  # their images could not be read
        ("samples_missed", pa.int64()),  # they came while the device was away
        # In crashes, or as questions to the cloud that will never be answered.
        ("samples_lost", pa.int64()),
        ("samples_correct", pa.int64()),
        # Handed to the uplink, but for those of the next line: delivered, on their way or waiting for their turn.
        ("samples_uploaded", pa.int64()),
        # Their messages were dropped from the outbox or failed for good.
        ("samples_lost_by_uplink", pa.int64()),
        # Given up because the budget had no room for them, or by a reset or crash meanwhile.
        ("samples_withheld", pa.int64()),
        ("samples_waiting", pa.int64()),  # for the budget
        # Of those uploaded, what was delivered and came to nothing: there was no room in the cloud's inbox; the cloud
        # was down, or crashed while they were in its inbox.
        ("samples_refused", pa.int64()),
        ("samples_lost_by_cloud", pa.int64()),
        ("present_s", pa.float64()),  # a stay ends with the batch that is in progress when the device leaves
        # With passes that ended, or up to the crash or the end of the run that cut them short.
        ("busy_s", pa.float64()),
        ("flops", pa.int64()),  # of passes that ended
        # busy_s x busy_w, (present_s - busy_s) x idle_w, and the radio's: time in which messages were on their way out
        # (up or down, to the run's end, without outages and the pauses between attempts) x transmit_w or receive_w.
        # Null where the power is not known.
        *((f"energy_{part}_j", pa.float64()) for part in ENERGY),
        *(
            (f"{direction}link_{state}_bytes", pa.int64())
            for direction in ("up", "down")
            for state in ("queued", "sent", "delivered", "lost", "in_flight", "dropped")
        ),
    ]
)

# One row per change of the cloud itself, in order; none under a strategy without a cloud.
CLOUD = pa.schema(
    [
        ("time_s", pa.float64()),
        # started, checkpoint, crashed, restarted, accelerator_starting, accelerator_ready or accelerator_stopped
        ("event", pa.string()),
        # There or starting from now on, which is what is paid for: none from a crash to the restart, when machines are
        # gone and new ones are not yet there.
        ("accelerators", pa.int32()),
    ]
)

TABLES = {
    "batches.parquet": BATCHES,
    "transfers.parquet": TRANSFERS,
    "updates.parquet": UPDATES,
    "devices.parquet": DEVICES,
    "cloud.parquet": CLOUD,
}
LATER_TABLES = ("cloud.parquet",)
"""Tables that a folder written by an older version may lack."""
