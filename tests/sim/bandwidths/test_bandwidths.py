import subprocess
import sys

import pytest

from scenarios import catalogue
from sim.bandwidths import bits_per_second


@pytest.mark.parametrize(
    ("mbps", "bits"), [(0.0, 0), (1.0, 1_000_000), (2.5e-6, 2), (0.1, 100_000), (-3.0, 0)]
)
def test_whole_bits_per_second(mbps, bits):
    assert bits_per_second(mbps) == bits


def test_models_are_told_by_their_name(bandwidth):
    with pytest.raises(
        ValueError, match="`model` must be one of: csv, diurnal, gauss_markov, mahimahi, markov"
    ):
        bandwidth(model="constant")


def test_settings_import_nothing_heavy():
    rooms = ", ".join(
        f"{room}.{name}"
        for room in (catalogue.BANDWIDTHS, catalogue.LATENCIES)
        for name in catalogue.names(room)
    )
    program = f"import sys, {rooms}; print(*({{'simpy', 'numpy', 'torch'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
