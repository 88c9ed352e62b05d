"""
Mutated schemas and bodies are read, or refused with an error. Reading or refusing a record needs a limited amount of
memory.

The files of ``corpus/`` are mutated. If a mutation reveals a bug, add the mutated record to ``corpus/`` as
test_corpus describes.
"""

from __future__ import annotations

import tracemalloc
from random import Random

import pytest

from event_bus_kafka.errors import DeserializationError
from event_bus_kafka.wire.codec import codec_for, plain_decoder
from tests.support.scale import scaled
from tests.unit.wire.mutated_records import kept_bodies, mutated_record, seeds
from tests.unit.wire.odd_schemas import READER

RECORDS = scaled(500, long=10_000)
LONGEST = scaled(100_000, long=1_000_000)
"""The maximal number of bytes of a body, approximately."""
MOST = scaled(6_000_000, long=64_000_000)
"""The maximal number of bytes of memory that decoding may need."""


@pytest.mark.long
def test_c4_a_mutated_record_is_read_or_refused_within_bounded_memory() -> None:
    schemas, bodies = seeds(), kept_bodies()
    ends: dict[str, int] = {}
    for number in range(RECORDS):
        schema, body = mutated_record(Random(number), schemas, bodies, LONGEST)
        tracemalloc.start()
        try:
            end = ends_as(schema, body)
            taken = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert taken < MOST, f"record {number} took {taken} bytes"
        ends[end] = ends.get(end, 0) + 1
    print(RECORDS, "records:", ends)
    assert ends["read"] > RECORDS / 20, "too few of the mutated records are readable"


def ends_as(schema: str, body: bytes) -> str:
    """
    Decode a body as plain values and as an event. Return ``read`` if the plain values can be decoded, otherwise the
    name of this package's error. Raise other errors.
    """
    ends = "read"
    for decoder in (plain_decoder, codec_for(READER).decoder):
        try:
            decoder(schema, MOST)(body)
        except DeserializationError as error:
            ends = type(error).__name__ if decoder is plain_decoder else ends
    return ends
