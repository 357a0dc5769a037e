"""The document of all packaged profiles, `python -m scenarios.profile_document > docs/profiles.md`."""

from __future__ import annotations

from scenarios import profile
from scenarios.cloud import Cloud
from scenarios.fleet import Compute
from scenarios.network import Link
from scenarios.profile import Profile, Profiled

_HEAD = """# Device, link and accelerator profiles

<!-- Written by `python -m scenarios.profile_document > docs/profiles.md` from the files in scenarios/profiles. -->

A profile gives the figures of a real device, link or accelerator. In a scenario its name stands for them, alone or
with figures that take precedence; `cema run` writes the final ones into the results' `scenario.yaml`, with the name as
a note.

```yaml
compute: raspberry-pi-4
link: {profile: lte, uplink_mbps: 3}
cloud: {profile: v100, accelerators: 2}
```

`profile: my-board.yaml`, relative to the scenario, takes the figures from a file of your own in the form of those in
`scenarios/profiles`: a description, and each figure as `{value: 12.5, source: "measured on ..."}` or as a plain number,
since nobody but you needs to know its source. Files that it names are relative to its own folder. It has to
give what the settings require: `gflops`, or `uplink_mbps` and `downlink_mbps`.

To compare profiles in a study or with `--set`, replace the whole (`groups.lte.link: [lte, 5g]`): where figures are
given beside the profile, as in every resolved scenario, another name changes none of them.

Where a profile gives one direction a figure of its own (`downlink_latency_ms`), it takes precedence over the figure
for both directions, yours included: replace the field that the profile gives. A figure that a profile does not give has
the default of the settings: no overhead, no jitter, no loss. It says that no source was found, not that
it is zero. The power of a link's radio is that of the device that its source names.

`gflops` is what is sustained on convolutional networks in float32, a multiply-accumulate counted as two operations, as
`cema run` counts them. Most are derived from a published time of a network (at 224 x 224 ResNet-50 has 8.18 GFLOP,
ResNet-18 3.64, MobileNet v1 1.14 and MobileNet v2 0.60). They hold for networks of that kind; small or depthwise ones
reach less, and fast convolutions (Winograd) do fewer operations than are counted. No `overhead_ms` was found for any
device. Figures called estimates are no more than that.
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
        f"| `{field}` | {value} | {source.strip().replace('|', chr(92) + '|')} |"
        for field, (value, source) in described.figures.items()
    ]
    table = ["| field | value | source |", "|---|---|---|", *rows]
    return "\n".join([f"### `{name}`\n", f"{described.description}.\n", *table, ""])


if __name__ == "__main__":
    print(document(), end="")
