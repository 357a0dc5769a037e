import numpy as np
import pytest
from pydantic import ValidationError

from models.ranks import Prediction
from models.ranks.age import Age
from models.ranks.arrival import Arrival
from models.ranks.entropy import Entropy
from models.ranks.redundancy import Redundancy


def sample(*probabilities, entropy=0.0, arrival=0):
    return Prediction(entropy, np.array(probabilities, np.float32), arrival)


@pytest.mark.parametrize(
    ("rank", "best_first"), [(Arrival(), [1, 2, 0]), (Age(), [0, 2, 1]), (Entropy(), [2, 1, 0])]
)
def test_which_goes_first(rank, best_first):
    found = [(0.1, 9), (0.3, 2), (0.7, 5)]
    samples = [sample(1, 0, entropy=entropy, arrival=arrival) for entropy, arrival in found]
    state = rank.build()
    scores = state.scores(samples)
    assert sorted(range(3), key=lambda place: -scores[place]) == best_first
    state.note_sent(samples)
    assert list(state.scores(samples)) == list(scores)


def test_a_band_of_entropy_goes_before_what_is_outside_and_that_by_its_distance():
    """Of two classes ln 2 is 0.693: the band is from 0.139 to 0.416."""
    state = Entropy(low_share=0.2, high_share=0.6).build()
    entropies = [0.0, 0.15, 0.4, 0.45, 0.69]
    scores = state.scores([sample(0.5, 0.5, entropy=entropy) for entropy in entropies])
    order = sorted(range(5), key=lambda place: -scores[place])
    assert [entropies[place] for place in order] == [0.4, 0.15, 0.45, 0.0, 0.69]


def test_what_rounding_takes_beyond_the_largest_entropy_is_in_the_band():
    state = Entropy().build()
    largest = np.log(2) + 1e-7
    scores = state.scores([sample(0.5, 0.5, entropy=entropy) for entropy in (largest, 0.5, 0.0)])
    assert scores == [largest, 0.5, 0.0]


def test_a_band_that_ends_before_it_begins_is_a_mistake():
    with pytest.raises(ValidationError, match=r"must be greater than low_share, 0\.4"):
        Entropy(low_share=0.4, high_share=0.4)


def test_times_of_arrival_are_told_apart_to_the_nanosecond():
    year = 365 * 86_400 * 10**9
    for rank in (Arrival(), Age()):
        first, second = rank.build().scores([sample(1, arrival=year), sample(1, arrival=year + 1)])
        assert first != second


def test_before_anything_was_sent_all_are_alike():
    assert Redundancy().build().scores([sample(1, 0), sample(0.5, 0.5)]) == [0.0, 0.0]


def test_the_least_like_what_was_sent_goes_first():
    state = Redundancy().build()
    state.note_sent([sample(1, 0), sample(0.6, 0.4)])  # their mean: (0.8, 0.2)
    scores = state.scores([sample(1, 0), sample(0, 1), sample(0.8, 0.2)])
    length = np.hypot(0.8, 0.2)
    assert scores == pytest.approx([-0.8 / length, -0.2 / length, -1.0], abs=1e-6)


def test_the_mean_follows_what_is_sent():
    state = Redundancy(momentum=0.25).build()
    state.note_sent([sample(1, 0)])
    state.note_sent([sample(0, 1), sample(0, 1)])
    assert state.mean == pytest.approx([0.75, 0.25])
