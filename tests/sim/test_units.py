import math

from sim.units import Run, Unit, units_of


def described(units):
    return [(unit.point, unit.strategy, unit.seed) for unit in units]


def test_units_in_the_order_of_points_strategies_and_seeds(plan):
    made = plan(
        strategies=["source", {"name": "source", "label": "again"}],
        seeds=[3, 1],
        axes=[{"name": "world", "list": {"clean": {}, "long": {"duration_s": 3.0}}}],
    )
    units = units_of(made)
    assert described(units) == [
        (f"world={world}", strategy, seed)
        for world in ("clean", "long")
        for strategy in ("source", "again")
        for seed in (3, 1)
    ]
    for unit in units:
        assert [each.label or each.name for each in unit.scenario.strategy] == [unit.strategy]
        assert unit.scenario.seed == unit.seed
        assert unit.scenario.duration_s == (3.0 if unit.labels["world"] == "long" else 2.0)


def test_a_unit_knows_the_one_it_matches_at_its_point_and_seed(plan, tiny):
    strategies = [
        tiny.cema(),
        {"name": "random_selection", "match": "cema"},
        {"name": "random_selection", "label": "fixed", "match": "cema", "share": 0.5},
    ]
    units = units_of(plan(strategies=strategies, seeds=[0, 1], axes=[{"grid": {"duration_s": [1.0, 2.0]}}]))
    for unit in units:
        if unit.strategy == "random_selection":
            assert unit.match is not None
            assert (unit.match.strategy, unit.match.seed, unit.match.labels) == (
                "cema",
                unit.seed,
                unit.labels,
            )
            assert unit.match in units
        else:
            assert unit.match is None


def test_a_unit_on_one_line(plan):
    (unit,) = units_of(plan())
    assert unit.title == "source, seed 7"
    (unit,) = units_of(plan(axes=[{"zip": {"duration_s": [1.0], "cloud.gflops": [math.inf]}}]))
    assert unit.title == "source, duration_s=1.0, cloud.gflops=inf, seed 7"


def test_a_unit_shares_the_fate_of_its_run(plan, tmp_path):
    (unit,) = units_of(plan())
    assert (unit.status, unit.error, unit.by_input) == ("waiting", "", False)
    unit.run = Run(unit.scenario, "hash", tmp_path, "failed", "oh", by_input=True)
    assert (unit.status, unit.error, unit.by_input) == ("failed", "oh", True)


def test_a_unit_can_fail_before_it_has_a_run(plan):
    (unit,) = units_of(plan())
    failed = Unit(unit.labels, "x", 0, unit.scenario, unmatched="oh", unmatched_by_input=True)
    assert (failed.status, failed.error, failed.by_input) == ("failed", "oh", True)
