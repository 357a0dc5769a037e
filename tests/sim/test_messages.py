from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.messages import joining, pack, unpack

PARTS = st.lists(st.binary(max_size=300), max_size=10)


@given(PARTS)
def test_unpack_undoes_pack(parts):
    assert unpack(pack(parts)) == parts


@given(PARTS)
def test_a_part_costs_four_bytes_beside_its_own(parts):
    assert len(pack(parts)) == sum(4 + len(part) for part in parts)


def test_who_joins_says_in_four_bytes_what_it_holds():
    message = joining("camera-0", 258, 3)
    assert (message.kind, message.device, message.samples, message.epoch) == ("join", "camera-0", 0, 3)
    assert message.payload == b"\x02\x01\x00\x00"


def test_layout():
    assert pack([b"ab", b""]) == b"\x02\x00\x00\x00ab\x00\x00\x00\x00"


@given(PARTS, st.integers(0, 255))
def test_a_level_of_quality_is_one_byte_ahead(parts, quality):
    payload = pack(parts, quality)
    assert payload == bytes([quality]) + pack(parts)
    assert unpack(payload, 1) == parts


@pytest.mark.parametrize("kept", [1, 3, 4, 6, 8, 10])
def test_a_payload_that_is_cut_short(kept):
    payload = pack([b"abc", b"defg"])  # whole at 7 and 15 bytes
    with pytest.raises(ValueError, match="cut short"):
        unpack(payload[:kept])
