"""The lag of a group counts the available records that it has not read. A reset of its offsets preserves metadata."""

from __future__ import annotations

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.kafka.offsets import Committed, Range
from event_bus_kafka.operations.group_offsets import Reset, Standing

MARKS = OffsetMetadata(frozenset({3, 6}), 1_769_846_400_123)


def test_a_reset_of_a_committed_offset_keeps_the_quarantine_of_records_beyond_the_new_offset() -> None:
    standing = Standing(("t", 0), Committed(2, MARKS.at(2)), Range(0, 10))
    assert Reset(standing, 4).position == Committed(4, MARKS.at(4))
    assert OffsetMetadata.read(Reset(standing, 0).position.metadata) == MARKS


def test_the_lag_is_the_number_of_all_available_records_if_the_committed_offset_is_invalid() -> None:
    assert [Standing(("t", 0), Committed(offset), Range(5, 10)).lag for offset in (7, 5, 4, 11)] == [3, 5, 5, 5]
    assert Standing(("t", 0), None, Range(5, 10)).lag == 5
