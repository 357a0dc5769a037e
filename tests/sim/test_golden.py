"""Every feature's golden trace; `golden.py` says how to read them and how to add one."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from tests.sim import golden


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The world of all traces."""
    return golden.prepare(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("name", golden.names())
def test_what_happens_is_what_is_written_down(name, world, tmp_path):
    found, written = golden.trace(name, world, tmp_path), golden.expected(name)
    if found != written:
        difference = unified_diff(written, found, f"{name}.events", "what happens", lineterm="")
        pytest.fail("\n".join(difference), pytrace=False)


def test_every_list_has_its_scenario():
    assert sorted(path.stem for path in golden.FOLDER.glob("*.events")) == golden.names()


def test_every_scenario_says_what_happens():
    for name in golden.names():
        assert (golden.FOLDER / f"{name}.yaml").read_text(encoding="utf-8").startswith("# "), name
