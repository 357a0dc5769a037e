import json
import subprocess

import pytest

from sim import manifest
from sim.manifest import Manifest


@pytest.fixture
def written(tmp_path):
    def write(**fields):
        Manifest("quickstart", "cema", 3, "abc", {"device": "cpu", "images_per_pass": 32}, **fields).write(
            tmp_path
        )
        return json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))

    return write


def test_says_what_ran_and_on_what(written):
    content = written(status="done", simulated_s=60.0)
    assert (content["scenario"], content["strategy"], content["seed"]) == ("quickstart", "cema", 3)
    assert (content["status"], content["simulated_s"], content["error"]) == ("done", 60.0, None)
    assert {"python", "torch", "simpy", "cema-lab"} <= content["versions"].keys()
    assert content["placement"] == {"device": "cpu", "images_per_pass": 32}
    assert content["hardware"]["cores"] >= 1


def test_without_git_there_is_no_state(written, monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", absent)
    assert written()["git"] is None


def test_in_a_checkout_it_names_the_commit(monkeypatch):
    answers = {"ls-files": "manifest.py", "rev-parse": "0123abc", "status": " M sim/manifest.py"}
    monkeypatch.setattr(
        manifest.subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(command, 0, answers[command[3]] + "\n"),
    )
    assert manifest.git_state() == {"commit": "0123abc", "dirty": True}
