"""The packaged scenario, in a short form: adaptation must visibly win."""

from analysis.summary import summarise
from scenarios import loader
from sim.run import Options, run_scenario

SHORT = ["duration_s=200", "groups.wired.count=2", "groups.lte.count=2", "groups.satellite.count=1"]


def test_adaptation_wins(tmp_path):
    run_scenario(loader.load("quickstart", SHORT), tmp_path / "out", Options(device="cpu"))
    source, cema = (summarise(tmp_path / "out" / name) for name in ("source", "cema"))
    assert source["samples"] == cema["samples"] > 400
    assert (source["uplink_bytes"], source["downlink_bytes"]) == (0, 0)
    assert cema["updates_published"] > 0
    assert cema["accuracy"] > source["accuracy"] + 0.05
