import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import loader
from scenarios.loader import ScenarioError
from scenarios.study_loader import LARGEST, ablate, describe, load, names, read_seeds
from sim.ablation import variants as standard_variants

MINIMAL = Path(__file__).parent.parent / "data" / "minimal.yaml"
HEAD = "name: city\nbase: minimal.yaml\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a study beside the minimal scenario, into the current folder, and return its name."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(MINIMAL, tmp_path)

    def write(text, head=HEAD):
        Path("study.yaml").write_text(head + text, encoding="utf-8")
        return "study.yaml"

    return write


def variants(method):
    """Return an ablation of two variants, in place of the standard one."""
    own = method.model_dump(mode="json")
    return [own | {"label": "small", "batch_size": 2}, own | {"label": "large", "batch_size": 64}]


def plan(source, overrides=(), seeds=None):
    return load(source, variants, overrides, seeds)


def mistakes(source, overrides=(), seeds=None):
    with pytest.raises(ScenarioError) as caught:
        plan(source, overrides, seeds)
    return list(caught.value.mistakes)


def labels(scenario):
    return [strategy.label or strategy.name for strategy in scenario.strategy]


FOUNDATION = "set: {models.foundation: {packaged: fashion-mnist-foundation}}\n"


def test_the_least_that_a_study_says(write):
    found = plan(write(""))
    assert [point.labels for point in found.points] == [{}]
    assert found.points[0].scenario == loader.load("minimal.yaml")
    assert found.seeds == (0,)


def test_points_are_the_product_of_the_axes(write):
    text = """
axes:
  - name: world
    list:
      clean: {}
      fog 5: {groups.lte.schedule: [{corruption: fog, severity: 5}]}
  - grid: {groups.lte.link.uplink_mbps: [1, .inf]}
  - zip: {groups.lte.count: [4, 8], groups.lte.stream.rate_hz: [2, 1]}
"""
    found = plan(write(text))
    told = [
        (
            group.schedule[0].corruption,
            group.link.uplink_mbps,
            group.count,
            group.stream.rate_hz,
            point.labels,
        )
        for point in found.points
        for group in [point.scenario.groups["lte"]]
    ]
    assert told == [
        (
            corruption,
            mbps,
            count,
            rate,
            {
                "world": world,
                "groups.lte.link.uplink_mbps": "inf" if mbps == math.inf else str(mbps),
                "groups.lte.count": str(count),
                "groups.lte.stream.rate_hz": str(rate),
            },
        )
        for world, corruption in (("clean", "none"), ("fog 5", "fog"))
        for mbps in (1, math.inf)
        for count, rate in ((4, 2), (8, 1))
    ]


def test_set_holds_for_every_point_and_the_command_line_wins(write):
    text = "set: {duration_s: 20, cloud: {gflops: 5, accelerators: 2}}\naxes: [{grid: {groups.lte.count: [1, 2]}}]"
    for point in plan(write(text), ["duration_s=30", "cloud.gflops=7"]).points:
        scenario = point.scenario
        assert (scenario.duration_s, scenario.cloud.gflops, scenario.cloud.accelerators) == (30.0, 7.0, 2)


def test_strategies_replace_those_of_the_base(write):
    found = plan(
        write("strategies: [source, {name: source, label: again}]\nset: {strategy.again.label: more}")
    )
    assert labels(found.points[0].scenario) == ["source", "more"]


def test_the_ablation_takes_its_place_in_the_list(write):
    found = plan(write(FOUNDATION + "strategies: [source, ablation, {name: source, label: last}]"))
    assert labels(found.points[0].scenario) == ["source", "cema", "small", "large", "last"]


def test_the_ablation_takes_apart_the_method_of_the_list(write):
    text = FOUNDATION + "strategies: [ablation, {name: cema, label: own, momentum: 0.5}]"
    scenario = plan(write(text)).points[0].scenario
    assert labels(scenario) == ["small", "large", "own"]
    assert [strategy.momentum for strategy in scenario.strategy] == [0.5, 0.5, 0.5]


def test_the_ablation_takes_apart_the_bases_method_or_else_its_defaults(write):
    base = Path("minimal.yaml").read_text()
    scenario = plan(write(FOUNDATION + "strategies: [source, ablation]")).points[0].scenario
    assert scenario.strategy[1].momentum == 0.9
    Path("minimal.yaml").write_text(
        base.replace("strategy: source", "strategy: {name: cema, momentum: 0.25}")
    )
    for strategies in ("[source, ablation]", "ablation"):
        scenario = plan(write(FOUNDATION + f"strategies: {strategies}")).points[0].scenario
        assert [each.momentum for each in scenario.strategy if each.name == "cema"] == [0.25, 0.25, 0.25]


def test_what_is_set_reaches_the_ablation(write):
    text = FOUNDATION + "strategies: ablation\naxes: [{grid: {strategy.cema.momentum: [0.1, 0.2]}}]"
    found = plan(write(text))
    assert [point.scenario.strategy[2].momentum for point in found.points] == [0.1, 0.2]
    assert labels(found.points[0].scenario) == ["cema", "small", "large"]


def test_ablate_needs_no_file(write):
    write("")
    found = ablate("quickstart", variants, ["duration_s=5", "strategy.cema.momentum=0.5"], "0-2")
    assert (found.study.name, found.study.base, found.seeds) == (
        "quickstart-ablation",
        "quickstart",
        (0, 1, 2),
    )
    (point,) = found.points
    assert labels(point.scenario) == ["cema", "small", "large"]
    assert (point.scenario.duration_s, point.scenario.strategy[1].momentum) == (5.0, 0.5)


def test_ablate_tells_the_scenarios_mistakes(write):
    write("")
    with pytest.raises(ScenarioError, match=r"minimal\.yaml:1: strategies: 'cema' needs a foundation model"):
        ablate("minimal.yaml", variants)
    with pytest.raises(ScenarioError, match=r"--set cloud\.gflops=-1: must be at least"):
        ablate("minimal.yaml", variants, ["cloud.gflops=-1"])


def test_the_resolved_study_makes_the_same_points(write):
    text = (
        FOUNDATION.replace("}\n", "}, duration_s: 5}\n", 1).replace("}}", "}")
        + "strategies: [source, ablation]\naxes: [{grid: {groups.lte.link.uplink_mbps: [1, .inf]}}]"
    )
    found = plan(write(text), ["duration_s=7"], "3-4")
    Path("elsewhere").mkdir()
    Path("elsewhere/again.yaml").write_text(loader.dump(found.study), encoding="utf-8")
    again = plan("elsewhere/again.yaml")
    assert (again.points, again.seeds, again.study) == (found.points, found.seeds, found.study)


def test_a_packaged_base_and_the_studys_own_files(write):
    shutil.copy(Path(loader.__file__).parent.parent / "models/packaged/fashion-mnist-test.npz", "own.npz")
    text = "set: {duration_s: 5, data: {npz: own.npz}}"
    scenario = plan(write(text, "name: city\nbase: quickstart\n")).points[0].scenario
    assert scenario.name == "quickstart"
    assert scenario.data.npz == Path("own.npz").resolve()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("axis: []", "3: axis: unknown field 'axis'; did you mean 'axes'? allowed: name, description, base, set, "
         "strategies, seeds, axes"),
        ("seeds: [0, x]", "3: seeds.1: x: must be a whole number"),
        ("seeds: [0, 0]", "3: seeds: 0 is given twice"),
        ("axes:\n  - list: {x: {}}", "4: axes.0.name: missing (The axis' column in tables)"),
        ("axes:\n  - {grid: {a: [1]}, zip: {a: [1]}}", "4: axes.0.zip: only one of these can be given: list, grid, "
         "zip"),
        ("axes:\n  - grid: {cloud.gflops: 4}", "4: axes.0.grid.cloud.gflops: 4: must be a list"),
        ("set:\n  duration_s: 5\n  duration_s: 6", "5: set.duration_s: given twice, first on line 4; keep one"),
    ],
)  # fmt: skip
def test_one_mistake_of_the_study_itself(write, text, found):
    assert mistakes(write(text)) == [f"study.yaml:{found}"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("set:\n  cloud.gflops: -1", "4: set.cloud.gflops: -1: must be at least 1e-06"),
        ("set: {cloud.gflop: 1}", "3: set.cloud.gflop: unknown field 'gflop'; did you mean 'gflops'? allowed: "
         "profile, accelerators, gflops, overhead_ms, update_codec, inbox, autoscaling, crashes, catches_up"),
        ("set: {seed: 1}", "3: set.seed: seeds belong in the study's `seeds`, or into --seeds"),
        ("set: {cloud..gflops: 1}", "3: set.cloud..gflops: must be path.to.field, as in groups.lte.link.loss"),
        ("set: {duration_s.x: 1}", "3: set.duration_s.x: duration_s is a single value and has no fields"),
        ("set: {cloud.gflops: 1, cloud: {gflops: 2}}", "3: set.cloud: replaces what `cloud.gflops` sets; keep one"),
        ("strategies:\n  - source\n  - {name: source, label: a b}", "5: strategies.1.label: a b: must begin with a "
         "letter or digit and hold only letters, digits and . _ -"),
        ("strategies:\n  - source\n  - source", "3: strategies: two are called 'source'; give each its own `label`"),
        ("axes:\n  - grid: {duration_s: [1, -1]}", "4: axes.0.grid.duration_s.1: -1: must be at least 1e-06"),
        ("axes:\n  - name: w\n    list:\n      a: {strategy: source}", "6: axes.0.list.a.strategy: strategies "
         "belong in the study's `strategies`"),
        ("set: {duration_s: 4}\naxes:\n  - grid: {duration_s: [1]}", "5: axes.0.grid.duration_s.0: replaces what "
         "`duration_s` sets; keep one"),
        ("axes:\n  - name: w\n    list:\n      fog 5:\n        groups.lte.schedule:\n        - severity: 9",
         "8: axes.0.list.fog 5.groups.lte.schedule.0.severity: 9: must be at most 5"),
        ("axes:\n  - zip: {groups.a.count: [1]}", "4: axes.0.zip.groups.a.count.0: groups.a.compute: missing (A "
         "device's processor)"),
    ],
)  # fmt: skip
def test_one_mistake_of_a_scenario(write, text, found):
    assert f"study.yaml:{found}" in mistakes(write(text))


def test_a_mistake_that_takes_two_axes_names_the_point(write):
    text = """
axes:
  - zip: {groups.lte.schedule.0.corruption: [none, fog, frost]}
  - grid: {groups.lte.schedule.0.severity: [0, 5]}
"""
    assert mistakes(write(text)) == [
        "study.yaml:6: axes.1.grid.groups.lte.schedule.0.severity.1: 5: a severity without a corruption; leave it out "
        "(at groups.lte.schedule.0.corruption=none, groups.lte.schedule.0.severity=5)",
        "study.yaml:6: axes.1.grid.groups.lte.schedule.0.severity.0: 0: corruption 'fog' needs a severity from 1 to 5 "
        "(at groups.lte.schedule.0.corruption=fog, groups.lte.schedule.0.severity=0)",
        "study.yaml:6: axes.1.grid.groups.lte.schedule.0.severity.0: 0: corruption 'frost' needs a severity from 1 to "
        "5 (at groups.lte.schedule.0.corruption=frost, groups.lte.schedule.0.severity=0)",
    ]


def test_a_mistake_of_one_value_is_told_once_and_without_its_points(write):
    text = "axes:\n  - grid: {duration_s: [1, -1]}\n  - grid: {groups.lte.count: [1, 2]}"
    assert mistakes(write(text)) == ["study.yaml:4: axes.0.grid.duration_s.1: -1: must be at least 1e-06"]


def test_a_mistake_at_several_points_names_one_and_counts_the_others(write):
    text = """
axes:
  - zip: {groups.lte.schedule.0.corruption: [none, fog]}
  - grid: {groups.lte.schedule.0.severity: [0, 5]}
  - grid: {groups.lte.count: [1, 2, 3]}
"""
    first, second = mistakes(write(text))
    assert first.endswith("groups.lte.schedule.0.severity=5, groups.lte.count=1 and 2 more)")
    assert second.endswith("groups.lte.schedule.0.severity=0, groups.lte.count=1 and 2 more)")


def test_all_mistakes_at_once_those_of_the_base_behind(write):
    base = Path("minimal.yaml").read_text().replace("rate_hz: 1", "rate_hz: -1")
    Path("minimal.yaml").write_text(base)
    text = "set: {cloud.gflops: -1}\naxes:\n  - grid: {duration_s: [1, -1], groups.lte.count: [0, 1]}"
    assert [mistake.split(": must")[0] for mistake in mistakes(write(text), ["groups.lte.link.loss=2"])] == [
        "study.yaml:3: set.cloud.gflops: -1",
        "study.yaml:5: axes.0.grid.groups.lte.count.0: 0",
        "study.yaml:5: axes.0.grid.duration_s.1: -1",
        f"{Path.cwd()}/minimal.yaml:12: groups.lte.stream.rate_hz: -1",
        "--set groups.lte.link.loss=2",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("duration_s", "--set duration_s: must be path.to.field=value, as in groups.lte.link.loss=0.1"),
        ("data=[1", "--set data=[1: the value cannot be read: a ',' or the closing bracket is missing"),
        ("seed=4", "--set seed=4: seeds belong in the study's `seeds`, or into --seeds"),
    ],
)
def test_mistakes_of_the_command_line(write, override, message):
    assert mistakes(write("axes: [{grid: {groups.lte.count: [1, 2]}}]"), [override]) == [message]


def test_an_axis_does_not_silently_win_over_the_command_line(write):
    assert mistakes(write("axes:\n  - grid: {duration_s: [1]}"), ["duration_s=4"]) == [
        "study.yaml:4: axes.0.grid.duration_s.0: replaces what --set duration_s=4 sets; keep one"
    ]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("quikstart", "no such file; did you mean 'quickstart'? packaged: "),
        ("missing/city.yaml", "missing/city.yaml: no such file"),
    ],
)
def test_a_base_that_is_not_there(write, base, message):
    (found,) = mistakes(write("", f"name: s\nbase: {base}\n"))
    assert found.startswith("study.yaml:2: base: ")
    assert message in found


def test_a_study_that_is_not_there(write):
    assert mistakes("none.yaml") == [
        "none.yaml: no such study file, and no packaged study; packaged: ablation, fusing, strategies"
    ]
    assert mistakes(write("", "")) == [
        "study.yaml: is empty; a study has the fields: name, description, base, set, strategies, seeds, axes"
    ]


def test_too_many_points(write):
    values = list(range(1, 102))
    text = f"axes:\n  - grid: {{groups.lte.count: {values}, duration_s: {values}}}"
    assert mistakes(write(text)) == [f"study.yaml:3: axes: make 10201 points; at most {LARGEST} are allowed"]


@pytest.mark.parametrize(
    ("text", "expected"), [("3", (3,)), ("0-4", (0, 1, 2, 3, 4)), ("5,1", (5, 1)), ("0-1, 7", (0, 1, 7))]
)
def test_seeds(text, expected):
    assert read_seeds(text) == expected


@pytest.mark.parametrize("text", ["", "x", "-1", "4-1", "0,0", "1-", "0-99999", "1.5"])
def test_what_seeds_are_not(text):
    with pytest.raises(ScenarioError, match=f"--seeds {text}: "):
        read_seeds(text)


def test_loading_leaves_torch_alone():
    program = (
        "import sys; from scenarios.study_loader import ablate; ablate('quickstart', lambda method: [])\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", names())
def test_packaged_studies_are_valid_and_described(name):
    found = load(name, standard_variants)
    assert found.study.name == name
    assert len(found.points) >= 2
    assert len(found.seeds) >= 5
    assert describe(name).split("\n")[0].endswith(".")


def test_a_file_wins_over_a_packaged_study_of_its_name(write, tmp_path):
    Path(write("seeds: [9]\n")).rename(tmp_path / "strategies")
    assert plan("strategies").seeds == (9,)
