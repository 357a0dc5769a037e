import math

import pytest
import torch

from models.criteria._chain import Exclusion
from models.criteria.low_informative import LowInformative
from models.criteria.redundant import Redundant
from models.criteria.unreliable import Unreliable

CERTAIN = [20.0, 0.0, 0.0, 0.0]
LIKELY = [4.0, 0.0, 0.0, 0.0]
OTHER = [0.0, 0.0, 4.0, 0.0]
UNSURE = [0.0, 0.0, 0.0, 0.0]


class Recording:
    """Keep the first candidate; note what it was shown."""

    def __init__(self):
        self.observed, self.candidates = [], []

    def observe(self, entropies):
        self.observed.append(len(entropies))

    def state(self):
        return {"shown": float(sum(self.candidates))}

    def keep(self, entropies, probabilities):
        assert len(entropies) == len(probabilities)
        self.candidates.append(len(entropies))
        return torch.arange(len(entropies)) < 1


def chain():
    static = Unreliable(threshold="static")
    criteria = {
        "unreliable": static,
        "low_informative": LowInformative(),
        "redundant": Redundant(d_margin=0.4),
    }
    return Exclusion({name: settings.build(4) for name, settings in criteria.items()})


def test_each_sample_bears_the_name_of_the_first_criterion_that_excludes_it():
    exclusion = chain()
    first = exclusion.judge(torch.tensor([LIKELY, UNSURE, CERTAIN]))
    assert first == ["kept", "unreliable", "low_informative"]
    second = exclusion.judge(torch.tensor([UNSURE, OTHER, LIKELY, CERTAIN]))
    assert second == ["unreliable", "kept", "redundant", "low_informative"]


def test_without_criteria_everything_is_kept():
    assert Exclusion({}).judge(torch.zeros(3, 4)) == ["kept"] * 3


def test_every_criterion_observes_all_samples_and_judges_only_those_left():
    first, second, third = Recording(), Recording(), Recording()
    verdicts = Exclusion({"a": first, "b": second, "c": third}).judge(torch.zeros(5, 4))
    assert verdicts == ["kept", "a", "a", "a", "a"]
    assert [r.observed for r in (first, second, third)] == [[5]] * 3
    assert [r.candidates for r in (first, second, third)] == [[5], [1], [1]]


def test_criteria_with_no_candidates_are_not_asked():
    never = Recording()
    exclusion = Exclusion({"unreliable": Unreliable().build(4), "never": never})
    assert exclusion.judge(torch.zeros(2, 4)) == ["unreliable"] * 2
    assert (never.observed, never.candidates) == ([2], [])


def test_the_threshold_follows_the_batch_before_it_is_filtered():
    """Ebar counts the current batch and its excluded samples: E_max grows by half here and lets a sample pass."""
    h = 0.5 * math.log(4)  # above E_max0 = 0.4 ln 4, below 1.5 times that
    state = Unreliable().build(4)
    exclusion = Exclusion({"unreliable": state})
    one = torch.tensor([[0.0, 0.0, -1e4, -1e4]])  # entropy ln 2 = 0.5 ln 4
    four = torch.zeros(1, 4)  # entropy ln 4
    assert exclusion.judge(one) == ["unreliable"]
    assert exclusion.judge(torch.cat([one, four, four])) == ["kept", "unreliable", "unreliable"]
    assert state.mean == pytest.approx(1.5 * h)


def test_what_the_criteria_remember():
    exclusion = chain()
    assert exclusion.state() == {
        "unreliable.e_max": pytest.approx(0.4 * math.log(4)),
        "unreliable.mean_entropy": 0.0,
        "low_informative.e_min": pytest.approx(0.02 * math.log(4)),
    }
    exclusion.judge(torch.tensor([LIKELY, LIKELY]))
    assert exclusion.state()["redundant.mean_peak"] == pytest.approx(math.exp(4) / (math.exp(4) + 3))
    assert exclusion.state()["unreliable.mean_entropy"] > 0


def test_names_of_states_are_prefixed_by_the_criterion():
    recording = Recording()
    exclusion = Exclusion({"mine": recording})
    exclusion.judge(torch.tensor([LIKELY, OTHER]))
    assert exclusion.state() == {"mine.shown": 2.0}
