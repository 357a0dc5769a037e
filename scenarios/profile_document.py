"""The document of all packaged profiles, `python -m scenarios.profile_document > docs/profiles.md`."""

from __future__ import annotations

from scenarios import profile
from scenarios.cloud import Cloud
from scenarios.fleet import Compute
from scenarios.network import Link
from scenarios.profile import Profile, Profiled

_HEAD = """# Device, link and accelerator profiles

<!-- Written by `python -m scenarios.profile_document > docs/profiles.md` from the files in scenarios/profiles. -->

A profile gives the figures of a real device, link or accelerator. In a scenario its name stands for them, alone or with
figures that take precedence; `cema run` writes the final ones into the results' `scenario.yaml`, with the name as a note.

```yaml
compute: raspberry-pi-4
link: {profile: lte, uplink_mbps: 3}
cloud: {profile: v100, accelerators: 2}
```

`profile: my-board.yaml`, relative to the scenario, takes the figures from a file of your own in the form of those in
`scenarios/profiles`: a description, and each figure as `{value: 12.5, source: "measured on ..."}` or, where nobody asks for
its source, as a plain number. What the settings require (`gflops`; `uplink_mbps` and `downlink_mbps`) it has to give.

Where a profile gives one direction a figure of its own (`downlink_latency_ms`), that is what takes precedence over the
figure for both, also over yours: replace the same field. A figure that a profile does not give has the default of the
settings: no overhead, no jitter, no loss, power unknown. That no figure was found does not make it zero.

`gflops` is what is sustained on convolutional networks in float32, operations of a multiply-accumulate counted as two,
as `cema run` counts them; most are derived from a published time of a network (ResNet-50: 8.18 GFLOP, ResNet-18: 3.64,
MobileNet v1: 1.14, MobileNet v2: 0.60, each at 224 x 224). Fast convolutions (Winograd) do fewer operations than are
counted. Such figures hold for networks of that kind; small or depthwise ones reach less. No `overhead_ms` was found for
any device. Figures called estimates are no more than that.
"""

_KINDS: dict[str, type[Profiled]] = {"Devices": Compute, "Links": Link, "Accelerators": Cloud}


def document() -> str:
    """Return the document in Markdown: each profile with a table of its figures and their sources."""
    parts = [_HEAD]
    for title, settings in _KINDS.items():
        parts.append(f"## {title}\n")
        parts += [
            _section(name, profile.packaged(settings, name)) for name in profile.names(settings.profiles)
        ]
    return "\n".join(parts)


def _section(name: str, described: Profile) -> str:
    rows = [
        f"| `{field}` | {value} | {source.strip()} |" for field, (value, source) in described.figures.items()
    ]
    return "\n".join(
        [
            f"### `{name}`\n",
            f"{described.description}.\n",
            "| field | value | source |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    print(document(), end="")
