"""Event metadata is converted to CloudEvents headers and back without changes."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from uuid import UUID

import attrs
import pytest
from openedx_events.data import EventsMetadata

from event_bus_kafka.errors import InvalidHeaders
from event_bus_kafka.wire.cloudevents import _templates, event_type, to_headers, to_metadata, to_metadata_and_id
from event_bus_kafka.wire.records import Headers, size_of

METADATA = EventsMetadata(
    event_type="org.openedx.learning.certificate.created.v1",
    id=UUID("12345678-1234-5678-1234-567812345678"),
    minorversion=2,
    source="openedx/lms/web",
    sourcehost="höst",
    time=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    sourcelib=(10, 5, 0),
)
HEADERS: Headers = (
    ("ce_specversion", b"1.0"),
    ("content-type", b"application/avro"),
    ("ce_datacontenttype", b"application/avro"),
    ("ce_type", b"org.openedx.learning.certificate.created.v1"),
    ("ce_source", b"openedx/lms/web"),
    ("ce_minorversion", b"2"),
    ("sourcehost", "höst".encode()),
    ("sourcelib", b"10.5.0"),
    ("ce_id", b"12345678-1234-5678-1234-567812345678"),
    ("ce_time", b"2026-01-02T03:04:05.678901+00:00"),
)


def changed(**values: bytes | None) -> Headers:
    return tuple((name, values.get(name, value)) for name, value in HEADERS)


def without(*names: str) -> Headers:
    return tuple((name, value) for name, value in HEADERS if name not in names)


def test_metadata_is_converted_to_headers() -> None:
    assert to_headers(METADATA, str(METADATA.id)) == HEADERS


def test_headers_are_converted_to_the_metadata_from_which_they_were_made() -> None:
    assert to_metadata(HEADERS, None) == METADATA


def test_metadata_of_two_events_of_the_same_type_is_not_mixed_up() -> None:
    other = attrs.evolve(METADATA, id=UUID(int=7), time=datetime(2026, 1, 3, tzinfo=UTC))
    both = to_metadata(HEADERS, None), to_metadata(to_headers(other, str(other.id)), None)
    assert both == (METADATA, other)


def test_headers_that_differ_only_in_the_source_are_not_mixed_up() -> None:
    for source in ("openedx/lms/web", "openedx/cms/web", "openedx/lms/web"):
        assert to_metadata(changed(ce_source=source.encode()), None) == attrs.evolve(METADATA, source=source)


def test_metadata_does_not_depend_on_the_order_of_headers_or_on_unknown_headers() -> None:
    for headers in (HEADERS, HEADERS[::-1], (("traceparent", b"1"), *HEADERS), (*HEADERS, ("traceparent", b"2"))):
        for _ in range(2):
            assert to_metadata(headers, None) == METADATA


@pytest.mark.parametrize(
    "text",
    [
        "12345678-1234-5678-1234-56781234567a",
        "12345678-1234-5678-1234-56781234567A",
        "1234567812345678123456781234567a",
        "{1234567812345678123456781234567a}",
        "0x345678-1234-5678-1234-56781234567a",
    ],
)
def test_an_id_is_parsed_like_python_parses_a_uuid(text: str) -> None:
    for _ in range(2):
        metadata, event_id = to_metadata_and_id(changed(ce_id=text.encode()), None)
        assert (metadata.id, event_id, hash(metadata.id)) == (UUID(text), str(UUID(text)), hash(UUID(text)))
        assert pickle.loads(pickle.dumps(metadata.id)) == metadata.id


def test_c17_long_headers_are_not_cached() -> None:
    """
    If long headers were cached, records with a thousand sources, each a megabyte long, would fill the memory of a
    worker.
    """
    headers = changed(ce_source=b"x" * 1_000_000)
    assert len(to_metadata(headers, None).source) == 1_000_000
    assert all(size_of(kept) <= 1_000 for kept in _templates)


def test_unknown_headers_are_ignored_even_if_they_are_repeated_or_malformed() -> None:
    assert to_metadata((*HEADERS, ("traceparent", b"\xff"), ("traceparent", None)), None) == METADATA


@pytest.mark.parametrize("text", [b"2026-01-02T03:04:05.678901Z", b"2026-01-02T05:04:05.678901+02:00"])
def test_times_with_other_utc_offsets_are_converted_to_utc(text: bytes) -> None:
    assert to_metadata(changed(ce_time=text), None) == METADATA


@pytest.mark.parametrize(
    ("text", "version"), [(b"11.0.0rc1", (11, 0, 0)), (b"9", (9,)), (b"11.1.0.dev3", (11, 1, 0)), (b"1.2.x", (1, 2))]
)
def test_source_library_versions_with_pre_release_suffixes_are_accepted(text: bytes, version: tuple[int, ...]) -> None:
    assert to_metadata(changed(sourcelib=text), None).sourcelib == version


def test_missing_optional_headers_get_neutral_values() -> None:
    metadata = to_metadata(without("ce_source", "ce_time", "ce_minorversion", "sourcehost", "sourcelib"), 86_400_000)
    assert (metadata.source, metadata.sourcehost, metadata.sourcelib) == ("unknown", "unknown", (0, 0, 0))
    assert (metadata.minorversion, metadata.time) == (0, datetime(1970, 1, 2, tzinfo=UTC))


def test_a_record_without_time_header_and_timestamp_has_the_time_of_the_epoch() -> None:
    assert to_metadata(without("ce_time"), None).time == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (without("ce_id"), "ce_id is missing"),
        (changed(ce_id=b"7"), "ce_id is malformed"),
        (changed(ce_id=b"\xff"), "ce_id is not UTF-8"),
        (changed(ce_id=None), "ce_id is null"),
        ((*HEADERS, ("ce_id", b"12345678-1234-5678-1234-567812345678")), "ce_id occurs more than once"),
        (changed(ce_time=b"yesterday"), "ce_time is malformed"),
        (changed(ce_time=b"2026-01-02T03:04:05"), "ce_time is malformed"),
        (changed(ce_minorversion=b"x"), "ce_minorversion is malformed"),
        (changed(sourcelib=b"x.y"), "sourcelib is malformed"),
    ],
)
def test_malformed_headers_are_named_in_the_error(headers: Headers, reason: str) -> None:
    with pytest.raises(InvalidHeaders, match=reason):
        to_metadata(headers, None)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((), "ce_type is missing"),
        ((("ce_type", b"a"), ("ce_type", b"a")), "more than once"),
        ((("ce_type", b"\xff"),), "not UTF-8"),
        ((("ce_type", None),), "null"),
    ],
)
def test_a_record_is_refused_unless_it_has_exactly_one_readable_type(headers: Headers, reason: str) -> None:
    with pytest.raises(InvalidHeaders, match=reason):
        event_type(headers)
