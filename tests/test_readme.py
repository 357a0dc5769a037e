"""The README's scenario is one, and its mistake is told as the README says."""

import json
import re
from pathlib import Path

import pytest
import yaml

from scenarios import loader, study_loader
from sim.ablation import variants
from sim.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT.joinpath("README.md").read_text(encoding="utf-8")


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "two-cameras.yaml"
    path.write_text(re.search(r"```yaml\n(.*?)```", README, re.DOTALL).group(1))
    return path


def test_the_scenario_is_valid(scenario):
    loaded = loader.load(scenario)
    assert [strategy.name for strategy in loaded.strategy] == ["source", "cema"]


def test_the_mistake_is_told_as_shown(scenario):
    scenario.write_text(scenario.read_text().replace("uplink_mbps", "uplink_mpbs"))
    shown = re.search(r"^two-cameras.yaml:(.*) \.\.\.$", README, re.MULTILINE).group(1)
    with pytest.raises(loader.ScenarioError) as caught:
        loader.load(scenario)
    assert f"{scenario}:{shown}" in str(caught.value)


def test_the_study_is_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (text,) = (text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "base:" in text)
    Path("study.yaml").write_text(text)
    plan = study_loader.load("study.yaml", variants)
    assert (len(plan.points), len(plan.seeds)) == (3, 5)


def test_the_profiles_fit(scenario):
    (text,) = (text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "profile:" in text)
    overrides = [f"groups.cameras.{part}={json.dumps(value)}" for part, value in yaml.safe_load(text).items()]
    cameras = loader.load(scenario, overrides).groups["cameras"]
    assert (cameras.compute.profile, cameras.compute.memory_mb) == ("raspberry-pi-4", 4295)
    assert (cameras.link.profile, cameras.link.uplink_mbps, cameras.link.downlink_mbps) == ("lte", 3, 12.74)


def test_commands_and_files_exist():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"`?cema (\w+)", README)) - {"laboratory"} <= commands
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_overrides_fit(scenario):
    overrides = re.findall(r"--set ((?:groups|strategy)[a-z.]+=\w+)", README)
    assert len(overrides) >= 2
    loaded = loader.load(scenario, overrides)
    assert loaded.groups["cameras"].count == 8
    assert loaded.strategy[1].preset == "reference"
