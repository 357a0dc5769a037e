import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import loader
from scenarios.loader import ScenarioError
from scenarios.schema import Scenario

MINIMAL = Path(__file__).parent.parent / "data" / "minimal.yaml"
DATA = yaml.safe_load(MINIMAL.read_text(encoding="utf-8"))


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a scenario file into the current folder and return its name; replacements change the minimal one."""
    monkeypatch.chdir(tmp_path)

    def write(*replacements):
        text = MINIMAL.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        Path("city.yaml").write_text(text, encoding="utf-8")
        return "city.yaml"

    return write


def mistakes(*arguments, **options):
    with pytest.raises(ScenarioError) as caught:
        loader.load(*arguments, **options)
    assert str(caught.value) == "\n".join(caught.value.mistakes)
    return list(caught.value.mistakes)


def test_the_minimal_scenario():
    scenario = loader.load(MINIMAL)
    assert scenario.name == "minimal"
    assert scenario.groups["lte"].link.uplink_mbps == 10.0


def test_seed_and_overrides():
    scenario = loader.load(
        str(MINIMAL), ["groups.lte.link.loss=0.1", "groups.lte.upload_codec.compression=9"], seed=7
    )
    assert (scenario.seed, scenario.groups["lte"].link.loss) == (7, 0.1)
    assert scenario.groups["lte"].upload_codec.compression == 9


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("uplink_mbps: 10", "uplink_mbps: -3", "15: groups.lte.link.uplink_mbps: -3: must be greater than 0"),
        (
            "uplink_mbps: 10",
            "uplink_mbps: 5 Mbps",
            "15: groups.lte.link.uplink_mbps: 5 Mbps: a plain number is needed; the unit is in the field's name",
        ),
        (
            "duration_s: 10",
            "duration_s: 010",
            "3: duration_s: 010: a leading zero; write 10, or 0o10 for octal",
        ),
        ("duration_s: 10", "duration_s: .inf", "3: duration_s: .inf: must be a finite number"),
        (
            "duration_s: 10",
            "duration_s: 10\nduration_s: 9",
            "4: duration_s: given twice, first on line 3; keep one",
        ),
        (
            "duration_s: 10",
            "duration_s: !!timestamp 10",
            "3: duration_s: the tag !!timestamp is not allowed; write the value without it",
        ),
        (
            "  gflops: .inf",
            "  accelerators: 2",
            "8: cloud.gflops: missing (Sustained throughput of each accelerator in 10^9 floating-point "
            "operations per second)",
        ),
        (
            "cloud:\n",
            "cloud:\n  cpus: 3\n",
            "9: cloud.cpus: unknown field 'cpus'; allowed: profile, accelerators, gflops, overhead_ms, update_codec, "
            "inbox, autoscaling, crashes, catches_up",
        ),
        (
            "cloud:\n",
            "cloud:\n  update_codec: {codec: fp61}\n",
            "9: cloud.update_codec.codec: fp61: did you mean 'fp16'? must be one of: fp16, fp32, int8",
        ),
        (
            "    link:\n",
            "    upload_codec: {codec: jpeg, quality: 500}\n    link:\n",
            "14: groups.lte.upload_codec.quality: 500: must be at most 95",
        ),
        (
            "    link:\n",
            "    repeat_schedule: yes\n    link:\n",
            "14: groups.lte.repeat_schedule: yes: must be true or false",
        ),
        (
            "    link:\n",
            "    schedule: [{severity: 9}]\n    link:\n",
            "14: groups.lte.schedule.0.severity: 9: must be at most 5",
        ),
        (
            "    link:\n",
            "    queue:\n    link:\n",
            "14: groups.lte.queue: null (nothing is given): must be a mapping with the fields: "
            "capacity, overflow, skip_after_s",
        ),
        ("name: minimal", "name: 3", "1: name: 3: must be text; put it in quotes"),
        (
            "strategy: source",
            "strategy: [source, {name: source, lable: a, label: b}]",
            "7: strategy.1.lable: unknown field 'lable'; did you mean 'label'? allowed: name, label",
        ),
        ("strategy: source", "strategy: []", "7: strategy: must have at least 1 entry"),
        (
            "strategy: source",
            "strategy: [source, source]",
            "7: strategy: two are called 'source'; give each its own `label`",
        ),
        ("{packaged: fashion-mnist}", "{packaged: mnist}", "4: data.packaged: mnist: must be fashion-mnist"),
        (
            "groups:\n  lte",
            "groups:\n  my lte",
            "11: groups.my lte: the name must begin with a letter or digit and hold only letters, "
            "digits and . _ -",
        ),
        (
            "{rate_hz: 1}",
            "{rate_hz: 1, loss: 0.1, arrival: posson}",
            "12: groups.lte.stream.arrival: posson: did you mean 'poisson'? must be one of: periodic, "
            "poisson",
        ),
    ],
)
def test_one_mistake(write, old, new, message):
    found = mistakes(write((old, new)))
    assert f"city.yaml:{message}" in found
    assert len(found) == (2 if "arrival" in new else 1)


def test_all_mistakes_at_once_in_the_order_of_the_file(write):
    file = write(
        ("name: minimal", "name: minimal\nname: again"),
        ("duration_s: 10", "duration_s: 1:30"),
        ("      uplink_mbps: 10", "      uplink_mpbs: 10"),
        ("downlink_mbps: 40", "downlink_mbps: 0"),
    )
    found = mistakes(
        file, ["nonsense", "groups.lte.link.packet_bytes=1e3", "groups.lte.link.jitter_ms=-1"], seed=-1
    )
    assert [line.split(": ")[0] for line in found] == [
        "city.yaml:2",
        "city.yaml:4",
        "city.yaml:16",
        "city.yaml:17",
        "--set nonsense",
        "--seed -1",
        "--set groups.lte.link.jitter_ms=-1",
        "--set groups.lte.link.packet_bytes=1e3",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("groups.lte.link.uplink_mbps=-3", "must be greater than 0"),
        ("strategy.lable=x", "unknown field 'lable'; did you mean 'label'? allowed: name, label"),
        ("cloud={gflops: [1]}", "cloud.gflops: [1]: must be a number"),
        ("groups.b={}", None),
        ("models.edge.packaged.x=1", "models.edge.packaged is a single value and has no fields"),
    ],
)
def test_a_mistake_in_an_override(override, message):
    found = mistakes(MINIMAL, [override])
    if message is None:
        assert [line.split(" (")[0] for line in found] == [
            f"--set {override}: groups.b.{field}: missing" for field in ("stream", "compute", "link")
        ]
    else:
        assert found == [f"--set {override}: {message}"]


def test_files_are_relative_to_the_scenario(tmp_path, write, monkeypatch):
    file = write(("{packaged: fashion-mnist}", "{npz: images.npz}"))
    assert mistakes(file) == [f"city.yaml:4: data.npz: images.npz: no such file: {tmp_path / 'images.npz'}"]
    Path("images.npz").touch()
    monkeypatch.chdir("/")
    assert loader.load(tmp_path / file).data.npz == tmp_path / "images.npz"


def test_two_sources_for_one_thing(write):
    file = write(("{packaged: fashion-mnist}", "{npz: city.yaml, packaged: fashion-mnist}"))
    found = mistakes(file)
    assert len(found) == 1
    assert found[0].startswith("city.yaml:4: data.packaged: only one of these can be given: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "city.yaml: is empty; a scenario has the fields: name, "),
        (b"- 1", "city.yaml: is not a mapping; a scenario has the fields: name, "),
        (b"a: 1\nb: \xff", "city.yaml:2: not UTF-8 text (byte 0xff)"),
        (b"a: [1", "city.yaml:1:6: a ',' or the closing bracket is missing"),
    ],
)
def test_files_that_hold_no_scenario(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    Path("city.yaml").write_bytes(content)
    (found,) = mistakes("city.yaml")
    assert found.startswith(message)


def test_a_folder(tmp_path):
    assert mistakes(tmp_path) == [f"{tmp_path}: a folder, not a scenario file"]


def test_packaged_scenarios(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loader, "LIBRARY", MINIMAL.parent)
    assert "minimal" in loader.names()
    assert loader.load("minimal") == loader.load(MINIMAL)
    assert loader.describe("minimal") == "The least that a scenario says"
    (found,) = mistakes("minimla")
    assert found.startswith(
        "minimla: no such file, and no packaged scenario; did you mean 'minimal'? packaged: "
    )
    assert mistakes("minimla.yaml") == ["minimla.yaml: no such file"]
    Path("minimal").write_text("a: 1")
    assert mistakes("minimal")[0] == "minimal:1: name: missing"


@pytest.mark.parametrize("name", loader.names())
def test_every_packaged_scenario_loads_and_describes_itself(name, tmp_path, monkeypatch):
    (tmp_path / "imagenet-sample").mkdir()
    monkeypatch.chdir(tmp_path)  # where the files of packaged scenarios are looked for
    assert loader.load(name).description == loader.describe(name) != ""


TEXT = st.text() | st.sampled_from(
    ["NO", "1e-3", "010", "1:30", "null", "~", "", "<<", ".inf", "0x1F", "2024-01-02"]
)
SPEED = st.floats(min_value=1e-6, allow_nan=False)


@settings(max_examples=30, deadline=None)
@given(
    description=TEXT,
    seed=st.integers(min_value=0),
    duration=SPEED,
    gflops=SPEED,
    group=st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9.]{1,9}", fullmatch=True),
)
def test_dump_is_read_back(tmp_path_factory, description, seed, duration, gflops, group):
    data = {**DATA, "description": description, "seed": seed, "cloud": {"gflops": gflops}}
    data |= {"duration_s": min(duration, 1e9), "groups": {group: DATA["groups"]["lte"]}}
    scenario = Scenario.model_validate(data)
    file = tmp_path_factory.mktemp("dump") / "dump.yaml"
    file.write_text(loader.dump(scenario), encoding="utf-8", newline="")
    assert loader.load(file) == scenario


def test_dump_of_presets_is_read_back(tmp_path):
    strategies = "strategy=[{name: cema, label: a}, {name: cema, label: b, preset: reference}]"
    scenario = loader.load(MINIMAL, [strategies, "models.foundation.packaged=fashion-mnist-foundation"])
    (tmp_path / "dump.yaml").write_text(loader.dump(scenario), encoding="utf-8")
    assert loader.load(tmp_path / "dump.yaml") == scenario


def test_dump_writes_defaults_and_infinity():
    text = loader.dump(loader.load(MINIMAL, ["description='1e-3'"]))
    assert "gflops: .inf\n" in text
    assert "description: '1e-3'\n" in text
    assert "packet_bytes: 1460\n" in text


def test_equal_scenarios_have_equal_hashes(write):
    scenario = loader.load(MINIMAL)
    again = loader.load(write(("duration_s: 10\n", ""), ("name: minimal", "duration_s: 1e1\nname: minimal")))
    assert loader.content_hash(again) == loader.content_hash(scenario)
    assert loader.content_hash(
        loader.load(MINIMAL, ["groups.lte.link.latency_ms=-0.0"])
    ) == loader.content_hash(scenario)
    assert loader.content_hash(loader.load(MINIMAL, seed=1)) != loader.content_hash(scenario)
    assert math.isinf(scenario.cloud.gflops)


def test_what_is_only_told_of_a_scenario_stays_out_of_its_hash():
    def hashed(*overrides):
        return loader.content_hash(loader.load("quickstart", overrides))

    assert hashed("name=other", "description=other", "strategy.cema.label=other") == hashed()
    assert hashed("strategy=[{name: uniform_in_time, share: 0.5, match: cema}]") == hashed(
        "strategy=[{name: uniform_in_time, share: 0.5}]"
    )
    assert hashed("strategy.cema.momentum=0.5") != hashed()


def test_the_order_of_groups_is_part_of_the_hash():
    scenario = loader.load("quickstart")
    turned = scenario.model_copy(update={"groups": dict(reversed(scenario.groups.items()))})
    assert loader.content_hash(turned) != loader.content_hash(scenario)


def hash_with_images(folder, **files):
    """Return the hash of the minimal scenario on a new folder with these files: name without ending, and content."""
    (folder / "cat").mkdir(parents=True)
    for name, content in files.items():
        (folder / "cat" / f"{name}.png").write_text(content)
    (folder / "scenario.yaml").write_text(
        MINIMAL.read_text(encoding="utf-8").replace("{packaged: fashion-mnist}", "{folder: .}", 1)
    )
    scenario = loader.load(folder / "scenario.yaml")
    (folder / "scenario.yaml").unlink()
    return loader.content_hash(scenario)


def test_a_folder_stands_for_the_names_and_sizes_of_its_files(tmp_path):
    base = hash_with_images(tmp_path / "base", a="123", b="45")
    assert hash_with_images(tmp_path / "elsewhere", b="45", a="123") == base
    assert hash_with_images(tmp_path / "longer", a="1234", b="45") != base
    assert hash_with_images(tmp_path / "swapped", a="45", b="123") != base
    assert hash_with_images(tmp_path / "renamed", a="123", c="45") != base
    assert hash_with_images(tmp_path / "fewer", a="123") != base


def test_links_in_a_folder(tmp_path):
    base = hash_with_images(tmp_path / "base", a="123")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "cat").symlink_to(tmp_path / "base" / "cat")
    linked = loader.load(MINIMAL, [f"data={{folder: {tmp_path / 'linked'}}}"])
    assert loader.content_hash(linked) == base
    (tmp_path / "linked" / "lost").symlink_to(tmp_path / "nowhere")
    (tmp_path / "linked" / "round").symlink_to(tmp_path / "linked")
    assert loader.content_hash(linked) == loader.content_hash(linked) != base


def test_reading_a_scenario_imports_nothing_heavy():
    code = "import sys, scenarios.loader; print([name for name in ('torch', 'numpy', 'simpy') if name in sys.modules])"
    root = Path(loader.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def hash_with_factory(folder, code):
    """Return the hash of the minimal scenario on a new folder whose edge model is built by this code."""
    folder.mkdir()
    (folder / "network.py").write_text(code)
    (folder / "edge.safetensors").write_bytes(b"weights")
    model = (
        "{factory: network.py:build, checkpoint: edge.safetensors, num_classes: 10, mean: [0.5], std: [0.5]}"
    )
    path = folder / "scenario.yaml"
    path.write_text(MINIMAL.read_text())
    return loader.content_hash(loader.load(path, [f"models.edge={model}"]))


def test_a_factorys_file_stands_for_its_content(tmp_path):
    one = hash_with_factory(tmp_path / "one", "a = 1")
    assert hash_with_factory(tmp_path / "moved", "a = 1") == one
    assert hash_with_factory(tmp_path / "edited", "a = 2") != one
