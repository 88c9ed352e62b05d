"""Headers of a row: bytes, from which a relay has them again, whatever it unpacked before."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_bus_kafka.wire.headers import Unpacker, pack, unpack
from event_bus_kafka.wire.records import Headers

NAMES = st.sampled_from(["ce_id", "ce_type", "größe", ""]) | st.text()
VALUES = st.none() | st.sampled_from([b"", b"1", b"2"]) | st.binary()
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple)


@given(HEADERS)
def test_headers_are_the_same_again(headers: Headers) -> None:
    assert unpack(pack(headers)) == headers


@pytest.mark.parametrize("kept", range(3))
def test_headers_that_end_within_their_lengths_spoil_none_that_follow(kept: int) -> None:
    packed = pack(headers := (("ce_type", b"a"), ("ce_id", b"b")))
    unpacker, start = Unpacker(), len(packed) - 2 - 2 * 4
    with pytest.raises((ValueError, struct.error)):
        unpacker(packed[: start + 4 * kept])
    assert unpacker(packed) == dict(headers)


@given(st.lists(HEADERS, max_size=6))
def test_what_was_unpacked_before_changes_nothing(rows: list[Headers]) -> None:
    unpacker = Unpacker()
    for headers in rows:
        found = unpacker(pack(headers))
        assert isinstance(found, dict) == (len({name for name, _ in headers}) == len(headers))
        assert tuple(found.items() if isinstance(found, dict) else found) == headers
