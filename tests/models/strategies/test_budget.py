import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.errors import InputError
from models.strategies._interface import Upload
from models.strategies.cema import Cema
from models.strategies.random_selection import RandomBudget, RandomSelection
from models.strategies.top_k import TopK, UncertaintyBudget
from models.strategies.uniform_in_time import UniformBudget, UniformInTime

SELECTIONS = [RandomSelection, TopK, UniformInTime]
BUDGETS = [RandomBudget, UncertaintyBudget, UniformBudget]


def probabilities(entropies):
    return torch.full((len(entropies), 5), 0.2)


def kept(budget, sizes):
    """Let a device see batches of random entropies; return how many samples are kept of each."""
    counts = []
    for number, size in enumerate(sizes):
        entropies = torch.from_numpy(np.random.default_rng(number).random(size))
        budget.observe(entropies)
        keep = budget.keep(entropies, probabilities(entropies))
        assert (keep.dtype, keep.shape) == (torch.bool, (size,))
        counts.append(int(keep.sum()))
    return counts


@pytest.mark.parametrize("budget", BUDGETS)
@given(
    share=st.floats(0, 1),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    seed=st.integers(0, 99),
)
def test_the_running_count_is_exact(budget, share, sizes, seed):
    offset = np.random.default_rng(seed).random()
    total = np.cumsum(kept(budget(share, np.random.default_rng(seed)), sizes))
    for seen, count in zip(np.cumsum(sizes).tolist(), total.tolist(), strict=True):
        assert count == math.floor(Fraction(str(share)) * seen + Fraction(offset))
        assert abs(count - share * seen) < 1 + 1e-9


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_share_is_what_its_decimals_say(budget):
    """In binary 0.3 is a little less, and of ten samples there would be room for two."""
    state = budget(0.3, np.random.default_rng(0))
    state.offset = Fraction(0)
    assert [state.due(n) for n in (3, 4, 10, 10_000_000)] == [0, 1, 3, 3_000_000]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_share_of_one_keeps_all_and_of_nothing_none(budget):
    sizes = [1, 5, 3]
    assert kept(budget(1.0, np.random.default_rng(0)), sizes) == sizes
    assert kept(budget(0.0, np.random.default_rng(0)), sizes) == [0, 0, 0]


@pytest.mark.parametrize("budget", BUDGETS)
def test_batches_of_one_over_many_devices_are_kept_at_the_share(budget):
    first = [kept(budget(0.25, np.random.default_rng(seed)), [1])[0] for seed in range(2000)]
    assert 0.22 < np.mean(first) < 0.28


def test_what_is_recorded():
    budget = RandomBudget(0.5, np.random.default_rng(0))
    assert budget.state() == {"seen": 0.0, "kept": 0.0}
    count = sum(kept(budget, [3, 4]))
    assert budget.state() == {"seen": 7.0, "kept": float(count)}


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_rest_is_excluded_by_the_budget(laboratory, images, selection):
    device = selection(share=0.5).build(laboratory).edge(laboratory.devices[0])
    decisions = [device.conclude(device.forward(images(4, seed)).result()) for seed in range(3)]
    verdicts = [verdict for decision in decisions for verdict in decision.verdicts]
    assert (verdicts.count("kept"), verdicts.count("budget")) == (6, 6)
    assert decisions[-1].state == {"budget.seen": 12.0, "budget.kept": 6.0}


@pytest.mark.parametrize("selection", SELECTIONS)
def test_devices_begin_at_moments_of_their_own_and_the_same_under_every_selection(laboratory, selection):
    strategy = selection(share=0.1).build(laboratory)
    offsets = [strategy.edge(device).exclusion.criteria["budget"].offset for device in laboratory.devices]
    assert len(set(offsets)) == 3
    assert offsets == [laboratory.generator(f"{d.name}/selection").random() for d in laboratory.devices]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_cloud_is_cemas(laboratory, images, selection):
    """With all samples uploaded, the student is that of a CEMA without criteria."""
    quick = {"batch_size": 4, "replay": {"minimum": 6}}
    all_off = {"unreliable": None, "low_informative": None, "redundant": None}
    states = []
    for settings in (
        selection.model_validate({"share": 1.0, **quick}),
        Cema.model_validate({"criteria": all_off, **quick}),
    ):
        strategy = settings.build(laboratory)
        for seed in range(4):
            for step in strategy.cloud.receive(Upload("a-0", images(5, seed))):
                step.begin().execute()
        states.append(strategy.cloud.scopes["fleet"].student.state)
    assert not np.array_equal(states[0], laboratory.source_state)
    np.testing.assert_array_equal(*states)


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a share above 0 and at most 1, or `match`"),
        ({"share": None, "match": None}, "a share above 0 and at most 1, or `match`"),
        ({"share": 0}, "must be greater than 0"),
        ({"share": 0.0, "match": None}, "must be greater than 0"),
        ({"share": 1.5}, "less than or equal to 1"),
        ({"share": -0.1, "match": "cema"}, "greater than or equal to 0"),
        ({"share": math.nan}, "less than or equal to 1"),
        ({"share": "half"}, "valid number"),
    ],
)
def test_budgets_that_are_none(selection, fields, message):
    with pytest.raises(ValidationError) as caught:
        selection.model_validate(fields)
    (error,) = caught.value.errors()
    assert error["loc"] == ("share",)
    assert message in error["msg"]


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("fields", [{"match": "cema"}, {"match": "cema", "share": 0.0}, {"share": 1}])
def test_settings_are_read_back(selection, fields):
    settings = selection.model_validate(fields)
    assert selection.model_validate(settings.model_dump(mode="json")) == settings


def test_a_match_without_a_share_cannot_be_built(laboratory):
    with pytest.raises(InputError, match=r"mine: match: cema: .* give a `share`"):
        TopK(match="cema", label="mine").build(laboratory)


def test_a_share_beside_a_match_wins(laboratory):
    assert TopK(match="cema", share=0.25).build(laboratory).share == 0.25


def test_a_share_of_nothing_runs(laboratory, images):
    device = RandomSelection(match="cema", share=0.0).build(laboratory).edge(laboratory.devices[0])
    assert device.conclude(device.forward(images(3)).result()).verdicts == ["budget"] * 3
