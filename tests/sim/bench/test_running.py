from __future__ import annotations

import json

from sim.bench.running import simulate
from sim.results import MANIFEST, SUMMARY


def test_a_run_takes_the_place_of_the_one_before(tiny, tmp_path):
    for seed in (1, 2):
        scenario = tiny.scenario(duration_s=1.0, seed=seed)
        taken = simulate(scenario, tmp_path / "run", "cpu", allow_code=True)
        manifest = json.loads((tmp_path / "run" / MANIFEST).read_text())
        assert manifest["seed"] == seed
        assert taken == manifest["wall_s"] > 0
    assert (tmp_path / "run" / SUMMARY).exists()
    assert not list((tmp_path / "run").glob("*.png"))
