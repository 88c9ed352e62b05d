"""Headers of a row: bytes, from which a relay has them again, whatever it unpacked before."""

from __future__ import annotations

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


@given(st.lists(HEADERS, max_size=6))
def test_what_was_unpacked_before_changes_nothing(rows: list[Headers]) -> None:
    unpacker = Unpacker()
    for headers in rows:
        found = unpacker(pack(headers))
        assert isinstance(found, dict) == (len({name for name, _ in headers}) == len(headers))
        assert tuple(found.items() if isinstance(found, dict) else found) == headers
