import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scenarios import loader, profile
from scenarios.cloud import Cloud
from scenarios.fleet import Compute
from scenarios.network import Link
from scenarios.profile import Figure, ProfileError
from scenarios.schema import Scenario

MINIMAL = (Path(__file__).parent.parent / "data" / "minimal.yaml").read_text(encoding="utf-8")
PACKAGED = [
    (settings, name) for settings in (Compute, Link, Cloud) for name in profile.names(settings.profiles)
]
BOARD = """
description: A board of our own
gflops: 12.5
idle_w: {value: 2, source: measured in our hall}
"""


@pytest.fixture
def board(tmp_path, monkeypatch):
    """Write a profile's file into the current folder and return its name; by default a sound one."""
    monkeypatch.chdir(tmp_path)

    def board(text=BOARD):
        Path("board.yaml").write_text(text, encoding="utf-8")
        return "board.yaml"

    return board


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write the minimal scenario, with replacements, into the current folder and return its name."""
    monkeypatch.chdir(tmp_path)

    def write(*replacements):
        text = MINIMAL
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        Path("city.yaml").write_text(text, encoding="utf-8")
        return "city.yaml"

    return write


def mistakes(*arguments):
    with pytest.raises(loader.ScenarioError) as caught:
        loader.load(*arguments)
    return list(caught.value.mistakes)


@pytest.mark.parametrize(("settings", "name"), PACKAGED, ids=[name for _, name in PACKAGED])
def test_every_figure_of_a_packaged_profile_has_a_source(settings, name):
    path = profile.LIBRARY / settings.profiles / f"{name}.yaml"
    for field, figure in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        if field == "description":
            assert figure
        else:
            assert figure.keys() == {"value", "source"}, field
            assert len(figure["source"].split()) >= 4, field


@pytest.mark.parametrize(("settings", "name"), PACKAGED, ids=[name for _, name in PACKAGED])
def test_every_packaged_profile_is_complete(settings, name):
    filled = settings.model_validate(name)
    for field, value in profile.packaged(settings, name).values.items():
        assert getattr(filled, field) == value
    given = settings.model_validate({"profile": name, **profile.packaged(settings, name).values})
    assert given == filled


def test_every_packaged_device_and_link_gives_its_powers():
    """So a fleet of them has an account of its energy."""
    for settings, name in PACKAGED:
        if settings in (Compute, Link):
            powers = {Compute: {"idle_w", "busy_w"}, Link: {"transmit_w", "receive_w"}}[settings]
            assert powers <= profile.packaged(settings, name).figures.keys(), name


def test_the_kinds_that_were_promised():
    assert {
        "raspberry-pi-4",
        "raspberry-pi-5",
        "jetson-nano",
        "jetson-orin-nano",
        "cortex-m7",
        "phone",
    } <= set(profile.names("devices"))
    assert set(profile.names("links")) == {
        "ethernet", "wifi", "lte", "5g", "nb-iot", "lora", "geo-satellite", "leo-satellite"
    }  # fmt: skip


def test_figures_stand_in_a_plausible_order():
    speed = {name: Compute.model_validate(name).gflops for name in profile.names("devices")}
    ascending = [
        "cortex-m7",
        "raspberry-pi-3",
        "raspberry-pi-4",
        "raspberry-pi-5",
        "jetson-nano",
        "jetson-orin-nano",
    ]
    assert sorted(ascending, key=speed.__getitem__) == ascending
    for name in profile.names("devices"):
        compute = Compute.model_validate(name)
        assert compute.idle_w < compute.busy_w
    rates = {name: Link.model_validate(name).uplink_mbps for name in profile.names("links")}
    assert rates["lora"] < rates["nb-iot"] < rates["lte"] < rates["5g"] < rates["ethernet"]


def test_an_unknown_packaged_profile():
    with pytest.raises(KeyError, match=r"'pi' is not in devices: cortex-m7, "):
        profile.packaged(Compute, "pi")


@given(st.sets(st.sampled_from(["uplink_mbps", "downlink_mbps", "latency_ms", "loss", "transmit_w"])))
def test_what_is_given_takes_precedence(fields):
    own = dict.fromkeys(fields, 0.5)
    filled = Link.model_validate({"profile": "lte", **own})
    for field, value in profile.packaged(Link, "lte").values.items():
        assert getattr(filled, field) == own.get(field, value)


def test_a_given_null_takes_precedence_too():
    assert Compute.model_validate({"profile": "raspberry-pi-4", "idle_w": None}).idle_w is None


def test_a_null_profile_is_none():
    assert Compute.model_validate({"profile": None, "gflops": 1}) == Compute(gflops=1)


def test_in_a_scenario(write):
    path = write(("compute: {gflops: 10}", "compute: raspberry-pi-4"), ("uplink_mbps: 10", "profile: lte"))
    group = loader.load(path, ["groups.lte.compute.gflops=3", "groups.lte.link.loss=0.25"]).groups["lte"]
    assert (group.compute.profile, group.compute.gflops, group.compute.busy_w) == (
        "raspberry-pi-4",
        3.0,
        5.25,
    )
    assert (group.link.uplink_mbps, group.link.downlink_mbps, group.link.loss) == (5.64, 40.0, 0.25)


def test_an_override_changes_the_profile(write):
    path = write(("compute: {gflops: 10}", "compute: raspberry-pi-4"))
    for text in ("groups.lte.compute=phone", "groups.lte.compute.profile=phone"):
        assert loader.load(path, [text]).groups["lte"].compute == Compute.model_validate("phone")


def test_a_resolved_scenario_is_read_back_the_same(write, tmp_path):
    path = write(("compute: {gflops: 10}", "compute: raspberry-pi-4"), ("  gflops: .inf", "  profile: t4"))
    scenario = loader.load(path)
    text = loader.dump(scenario)
    assert yaml.safe_load(text)["groups"]["lte"]["compute"] == {
        "profile": "raspberry-pi-4",
        "gflops": 16.8,
        "overhead_ms": 0.0,
        "memory_mb": 4295.0,
        "idle_w": 2.25,
        "busy_w": 5.25,
    }
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(text, encoding="utf-8")
    assert loader.load(resolved) == scenario
    assert loader.dump(loader.load(resolved)) == text


def test_the_content_is_that_of_the_figures(write):
    named = loader.load(write(("compute: {gflops: 10}", "compute: phone")))
    written = loader.load(
        write(("compute: {gflops: 10}", "compute: {gflops: 42, memory_mb: 4295, idle_w: 0.3, busy_w: 4}"))
    )
    other = loader.load(write(("compute: {gflops: 10}", "compute: {profile: phone, gflops: 41}")))
    assert loader.content_hash(named) == loader.content_hash(written) != loader.content_hash(other)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("raspbery-pi-4", "groups.lte.compute"),
        ("{profile: raspbery-pi-4}", "groups.lte.compute.profile"),
    ],
)
def test_an_unknown_profile(write, given, place):
    path = write(("compute: {gflops: 10}", f"compute: {given}"))
    known = ", ".join(profile.names("devices"))
    assert mistakes(path) == [
        f"city.yaml:13: {place}: raspbery-pi-4: did you mean 'raspberry-pi-4'? "
        f"must be the path of a .yaml file, or one of: {known}"
    ]


def test_an_unknown_profile_hides_no_other_mistake(write):
    path = write(("uplink_mbps: 10", "profile: ltee"), ("downlink_mbps: 40", "loss: 2"))
    assert [text.split(": ")[1] for text in mistakes(path)] == [
        "groups.lte.link.profile",
        "groups.lte.link.loss",
    ]


def test_an_unknown_profile_from_the_command_line(write):
    (text,) = mistakes(write(), ["groups.lte.compute.profile=pi"])
    assert text.startswith(
        "--set groups.lte.compute.profile=pi: must be the path of a .yaml file, or one of: "
    )


@pytest.mark.parametrize("given", ["3", "[phone]", "{profile: 3, gflops: 1}"])
def test_what_is_no_profile(write, given):
    (text,) = mistakes(write(("compute: {gflops: 10}", f"compute: {given}")))
    assert text.startswith("city.yaml:13: groups.lte.compute")


def test_a_file_of_ones_own(board, tmp_path):
    read = profile.load(Compute, board(), tmp_path)
    assert read.description == "A board of our own"
    assert read.figures == {"gflops": Figure(12.5, ""), "idle_w": Figure(2, "measured in our hall")}


def test_a_file_is_relative_to_the_scenario(board, write, tmp_path, monkeypatch):
    board()
    write(("compute: {gflops: 10}", "compute: board.yaml"))
    monkeypatch.chdir(tmp_path.parent)
    scenario = loader.load(tmp_path / "city.yaml")
    compute = scenario.groups["lte"].compute
    assert (compute.gflops, compute.idle_w, compute.busy_w) == (12.5, 2.0, None)
    assert compute.profile == str((tmp_path / "board.yaml").resolve())


def test_files_in_a_file_are_relative_to_it(write, tmp_path, monkeypatch):
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "up.csv").write_text("time_s,mbps\n0,3\n10,5\n")
    (folder / "field.yaml").write_text(
        "uplink_mbps: {model: csv, file: up.csv}\ndownlink_mbps: 4\noutages: {scheduled_s: [[1, 2]]}\n"
    )
    write(
        ("      uplink_mbps: 10\n", "      profile: profiles/field.yaml\n"), ("      downlink_mbps: 40\n", "")
    )
    monkeypatch.chdir(tmp_path.parent)
    scenario = loader.load(tmp_path / "city.yaml")
    link = scenario.groups["lte"].link
    assert link.uplink_mbps.file == (folder / "up.csv").resolve()
    assert (link.downlink_mbps, link.outages.scheduled_s) == (4.0, ((1.0, 2.0),))
    (tmp_path / "resolved.yaml").write_text(loader.dump(scenario))
    assert loader.load(tmp_path / "resolved.yaml") == scenario
    (folder / "up.csv").unlink()
    (told,) = mistakes(tmp_path / "city.yaml")
    assert "profiles/field.yaml:1: uplink_mbps: " in told
    assert f"no such file: {(folder / 'up.csv').resolve()}" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gflops: -3", ":1: gflops: -3: must be at least 1e-06"),
        ("gflops: {value: fast, source: us}", ":1: gflops: fast: must be a number"),
        ("memory_mb: 5", ": gflops: missing"),
        ("gflops: 3\ngfflops: 4", ":2: unknown field 'gfflops'; did you mean 'gflops'? allowed: gflops, "),
        ("gflops: 3\nprofile: phone", ":2: unknown field 'profile'; allowed: gflops, "),
        ("gflops: 3\ngflops: 4", ":2: gflops: given twice, first on line 1; keep one"),
        ("- 3", ": must be a mapping with the fields: description, gflops, "),
        ("gflops: [3", ":1:"),
    ],
)
def test_a_file_that_is_at_fault(board, tmp_path, text, told):
    with pytest.raises(ProfileError) as caught:
        profile.load(Compute, board(text), tmp_path)
    assert str(caught.value).startswith(f"{(tmp_path / 'board.yaml').resolve()}{told}")


def test_a_file_that_is_not_there(write, tmp_path):
    (text,) = mistakes(write(("compute: {gflops: 10}", "compute: board.yaml")))
    place = (tmp_path / "board.yaml").resolve()
    assert text == f"city.yaml:13: groups.lte.compute: board.yaml: no such file: {place}"


def test_a_file_that_is_not_text(board, tmp_path):
    path = Path(board())
    path.write_bytes(b"gflops: \xff")
    with pytest.raises(ProfileError, match="not UTF-8 text"):
        profile.load(Compute, "board.yaml", tmp_path)


def test_a_folder_is_no_profile(tmp_path):
    (tmp_path / "board.yaml").mkdir()
    with pytest.raises(ProfileError, match="cannot be read"):
        profile.load(Compute, "board.yaml", tmp_path)


def test_settings_stay_frozen_and_strict():
    compute = Compute.model_validate("phone")
    with pytest.raises(ValidationError, match="frozen"):
        compute.gflops = 3.0
    with pytest.raises(ValidationError, match="valid number"):
        Compute.model_validate({"profile": "phone", "gflops": "3"})


def test_the_schema_for_editors_lets_a_profile_stand_for_the_rest():
    described = json.loads(json.dumps(Scenario.model_json_schema()))["$defs"]
    for name, required in (
        ("Compute", ["gflops"]),
        ("Link", ["uplink_mbps", "downlink_mbps"]),
        ("Cloud", ["gflops"]),
    ):
        assert described[name]["type"] == ["object", "string"]
        assert described[name]["anyOf"] == [{"required": required}, {"required": ["profile"]}]
        assert "required" not in described[name]
    assert "lte" in described["Link"]["properties"]["profile"]["examples"]
