"""The headers of an event are packed as bytes in a row of the outbox. A relay unpacks the same headers."""

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
def test_unpacked_headers_equal_the_packed_headers(headers: Headers) -> None:
    assert unpack(pack(headers)) == headers


@pytest.mark.parametrize("kept", range(3))
def test_truncated_headers_do_not_affect_the_unpacking_of_later_headers(kept: int) -> None:
    packed = pack(headers := (("ce_type", b"a"), ("ce_id", b"b")))
    unpacker, start = Unpacker(), len(packed) - 2 - 2 * 4
    with pytest.raises((ValueError, struct.error)):
        unpacker(packed[: start + 4 * kept])
    assert unpacker(packed) == dict(headers)


@given(st.lists(HEADERS, max_size=6))
def test_unpacking_headers_does_not_depend_on_earlier_unpacked_headers(rows: list[Headers]) -> None:
    unpacker = Unpacker()
    for headers in rows:
        found = unpacker(pack(headers))
        assert isinstance(found, dict) == (len({name for name, _ in headers}) == len(headers))
        assert tuple(found.items() if isinstance(found, dict) else found) == headers
