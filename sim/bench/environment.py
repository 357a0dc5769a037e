"""What benchmarks were measured on and with."""

from __future__ import annotations

import platform
from typing import Any

from sim.manifest import hardware, package_versions


def environment(device: str) -> dict[str, Any]:
    """Return versions, platform, processor, cores, threads and the GPU's name, and where models are computed.

    Raises InputError where the device asked for is not there.
    """
    import torch  # noqa: PLC0415 - heavy

    from models.placement import choose_device  # noqa: PLC0415

    found = hardware()
    return {
        "versions": package_versions(),
        "platform": platform.platform(),
        "processor": found["processor"],
        "cores": found["cores"],
        "threads": torch.get_num_threads(),
        "gpu": found["cuda"],
        "device": str(choose_device(device)),
    }
