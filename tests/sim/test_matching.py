import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

import analysis.conclusion
from models.errors import InputError
from models.strategies.random_selection import RandomSelection
from models.strategies.source import Source
from scenarios import loader
from sim.matching import DEVICES, resolve, upload_share
from sim.results import SCENARIO
from sim.run import Options, run_scenario

CRITERIA = {
    "unreliable": {"threshold": "static", "share": 0.983},  # an untrained network is unsure of everything
    "low_informative": None,
    "redundant": None,
}


@pytest.fixture
def concluded(monkeypatch):
    """Leave out summaries and figures."""
    monkeypatch.setattr(analysis.conclusion, "conclude", lambda folder: None)


def account(folder, *devices):
    """Write the account of devices with so many samples uploaded and predicted."""
    folder.mkdir(parents=True, exist_ok=True)
    uploaded, predicted = zip(*devices, strict=True)
    table = pa.table({"samples_uploaded": uploaded, "samples_predicted": predicted, "other": uploaded})
    pq.write_table(table, folder / DEVICES)
    return folder


@pytest.mark.parametrize(
    ("devices", "share"),
    [
        ([(10, 40)], 0.25),
        ([(10, 40), (20, 20), (0, 60)], 0.25),  # of the whole fleet, not the mean of the devices
        ([(0, 40)], 0.0),
        ([(0, 0)], 0.0),
        ([(40, 30)], 1.0),  # answers are missing at the end
        ([(4, 0)], 1.0),
    ],
)
def test_the_share_of_a_fleet(tmp_path, devices, share):
    assert upload_share(account(tmp_path, *devices)) == share


def test_what_uplinks_lost_was_handed_to_them_too(tmp_path):
    account(tmp_path, (10, 40))
    table = pq.read_table(tmp_path / DEVICES).append_column("samples_lost_by_uplink", pa.array([5]))
    pq.write_table(table, tmp_path / DEVICES)
    assert upload_share(tmp_path) == 15 / 40


def test_the_share_is_filled_in_and_the_rest_stays(tmp_path):
    account(tmp_path / "mine", (10, 40))
    settings = RandomSelection(match="mine", batch_size=8)
    resolved = resolve(settings, tmp_path)
    assert resolved == RandomSelection(match="mine", share=0.25, batch_size=8)
    assert settings.share is None
    assert RandomSelection.model_validate(resolved.model_dump(mode="json")) == resolved


@pytest.mark.parametrize(
    "settings", [Source(), RandomSelection(share=0.3), RandomSelection(share=0.3, match="mine")]
)
def test_what_needs_no_run_stays_as_it_is(tmp_path, settings):
    assert resolve(settings, tmp_path) == settings


def test_a_run_that_left_no_account(tmp_path):
    with pytest.raises(InputError, match=r"mine.devices\.parquet: no such file"):
        resolve(RandomSelection(match="mine"), tmp_path)


def selections(tiny, criteria):
    """A CEMA, three selections that match it and one that matches the first of them, all with one small cloud."""
    small = {key: tiny.cema()[key] for key in ("batch_size", "replay")}
    return [
        tiny.cema(criteria=criteria),
        *(
            {"name": name, "match": "cema", **small}
            for name in ("random_selection", "top_k", "uniform_in_time")
        ),
        {"name": "top_k", "label": "again", "match": "random_selection", **small},
    ]


@pytest.mark.parametrize("nothing", [False, True])
def test_a_list_of_strategies_matches_the_first(tiny, tmp_path, concluded, nothing):
    criteria = CRITERIA | {"unreliable": {"threshold": "static", "share": 1e-9}} if nothing else CRITERIA
    scenario = tiny.scenario(strategy=selections(tiny, criteria), groups={"cameras": tiny.group(count=2)})
    run_scenario(scenario, tmp_path / "out", Options("cpu", allow_code=True))
    share = upload_share(tmp_path / "out" / "cema")
    assert share == 0 if nothing else 0.1 < share < 0.9
    for label in ("random_selection", "top_k", "uniform_in_time", "again"):
        folder = tmp_path / "out" / label
        assert json.loads((folder / "manifest.json").read_text())["status"] == "done"
        (written,) = yaml.safe_load((folder / SCENARIO).read_text())["strategy"]
        matched = share if label != "again" else upload_share(tmp_path / "out" / "random_selection")
        assert (written["match"], written["share"]) == (
            "random_selection" if label == "again" else "cema",
            pytest.approx(matched),
        )
        for device in pq.read_table(folder / DEVICES).to_pylist():
            assert abs(device["samples_uploaded"] - matched * device["samples_predicted"]) < 1
    whole = yaml.safe_load((tmp_path / "out" / SCENARIO).read_text())["strategy"]
    assert [each.get("share") for each in whole] == [None] * 5


def test_the_scenario_that_a_matched_run_leaves_can_be_run_again(tiny, tmp_path, concluded):
    scenario = tiny.scenario(strategy=selections(tiny, CRITERIA)[:2], duration_s=4.0)
    run_scenario(scenario, tmp_path / "out", Options("cpu", allow_code=True))
    alone = loader.load(tmp_path / "out" / "random_selection" / SCENARIO)
    run_scenario(alone, tmp_path / "again", Options("cpu", allow_code=True))
    first, again = (
        pq.read_table(folder / "batches.parquet")
        for folder in (tmp_path / "out" / "random_selection", tmp_path / "again")
    )
    assert first.equals(again)


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        (["cema", {"name": "top_k", "match": "tent"}], "'top_k' matches 'tent'.*before it: cema"),
        ([{"name": "top_k", "match": "cema"}, "cema"], "'top_k' matches 'cema'.*before it: none"),
        (["source", {"name": "top_k", "match": "top_k"}], "'top_k' matches 'top_k'.*before it: source"),
        ({"name": "top_k", "label": "mine", "match": "cema"}, "'mine' matches 'cema'.*before it: none"),
    ],
)
def test_a_match_must_name_an_earlier_strategy(tiny, strategies, message):
    with pytest.raises(ValidationError, match=message) as caught:
        tiny.scenario(strategy=strategies)
    assert [error["loc"] for error in caught.value.errors()] == [("strategy",)]


@pytest.mark.parametrize(
    "strategies",
    [
        ["cema", {"name": "top_k", "match": "cema"}],
        [{"name": "cema", "label": "mine"}, "source", {"name": "top_k", "match": "mine"}],
        {"name": "top_k", "match": "cema", "share": 0.2},  # as a matched run leaves it
    ],
)
def test_matches_that_hold(tiny, strategies):
    assert tiny.scenario(strategy=strategies)
