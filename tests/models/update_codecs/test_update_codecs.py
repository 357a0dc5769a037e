import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.update_codecs.fp16 import Fp16
from models.update_codecs.fp32 import Fp32
from models.update_codecs.int8 import Int8

FLOATS = st.floats(-1e4, 1e4, width=32)


@st.composite
def updates(draw, elements=FLOATS):
    """A state, the deployed one, and the pieces that both are cut into."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    ends = np.cumsum(lengths).tolist()
    pieces = tuple(slice(end - length, end) for length, end in zip(lengths, ends, strict=True))
    state, source = (draw(arrays(np.float32, ends[-1], elements=elements)) for _ in range(2))
    return state, source, pieces


def sent(codec, state, source, pieces):
    """What arrives, and the bytes on the way."""
    content = codec.encode(state, source, pieces)
    decoded = codec.decode(content, source, pieces)
    assert (decoded.dtype, decoded.shape) == (np.float32, state.shape)
    assert decoded.flags.writeable
    return decoded, len(content)


@settings(deadline=None)
@given(updates(st.floats(width=32)))
def test_single_precision_is_exact(update):
    decoded, size = sent(Fp32(), *update)
    np.testing.assert_array_equal(decoded, update[0])
    assert size == 4 * len(update[0])


@settings(deadline=None)
@given(updates(st.floats(-65504, 65504, width=32)))
def test_half_precision_rounds_to_eleven_bits(update):
    decoded, size = sent(Fp16(), *update)
    state = update[0].astype(np.float64)
    assert (abs(decoded - state) <= np.maximum(2.0**-11 * abs(state), 2.0**-25)).all()
    assert size == 2 * len(state)


def test_half_precision_clips():
    state = np.array([1e6, -1e6, np.inf], np.float32)
    assert sent(Fp16(), state, state, (slice(0, 3),))[0].tolist() == [65504, -65504, 65504]


@settings(deadline=None)
@given(updates())
def test_eight_bits_err_by_at_most_half_a_step(update):
    state, source, pieces = update
    decoded, size = sent(Int8(), *update)
    assert size == 4 * len(pieces) + len(state)
    for piece in pieces:
        new, old = state[piece].astype(np.float64), source[piece].astype(np.float64)
        got = decoded[piece].astype(np.float64)
        if (new > 0).all() and (
            old > 0
        ).all():  # the logarithm of the ratio is quantised, and variances stay positive
            half_a_step = abs(np.log(new / old)).max() / 254
            assert (got > 0).all()
            assert (abs(np.log(got / new)) <= half_a_step * (1 + 1e-6) + 1e-5).all()
        else:
            half_a_step = abs(new - old).max() / 254
            assert (abs(got - new) <= half_a_step + 2.0**-22 * (abs(new) + abs(old)) + 1e-37).all()


def test_eight_bits_keep_a_variance_positive_that_falls_a_hundredfold():
    source, state = np.array([5, 0.03], np.float32), np.array([0.05, 0.0003], np.float32)
    decoded, _ = sent(Int8(), state, source, (slice(0, 2),))
    assert decoded.tolist() == pytest.approx(state.tolist(), rel=0.02)


def test_eight_bits_keep_the_largest_differences():
    source = np.zeros(4, np.float32)
    state = np.array([127, -3, 0.5, -0.25], np.float32)
    decoded, _ = sent(Int8(), state, source, (slice(0, 2), slice(2, 4)))
    assert decoded.tolist() == pytest.approx([127, -3, 0.5, -0.25], rel=0.01)


@pytest.mark.parametrize("codec", [Fp32(), Int8()])
def test_an_unchanged_state_arrives_unchanged(codec):
    state = np.array([1.5, -2.25, 1e-3], np.float32)
    decoded, _ = sent(codec, state, state, (slice(0, 2), slice(2, 3)))
    np.testing.assert_array_equal(decoded, state)


@pytest.mark.parametrize("codec", [Fp32(), Fp16(), Int8()])
def test_encoding_leaves_its_input(codec):
    state, source = np.arange(3, dtype=np.float32), np.ones(3, np.float32)
    sent(codec, state, source, (slice(0, 3),))[0][:] = 9
    assert (state.tolist(), source.tolist()) == ([0, 1, 2], [1, 1, 1])
