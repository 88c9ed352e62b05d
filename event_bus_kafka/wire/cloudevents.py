"""
Converts CloudEvents attributes to record headers and back (CloudEvents 1.0.2, Kafka protocol binding, binary mode).

One table serves both directions. Header values are UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import attrs
from openedx_events.data import EventsMetadata

from event_bus_kafka.errors import InvalidHeaders
from event_bus_kafka.kept import Kept
from event_bus_kafka.wire.records import Headers, size_of

_FIXED: Headers = (
    ("ce_specversion", b"1.0"),
    ("content-type", b"application/avro"),
    ("ce_datacontenttype", b"application/avro"),
)
_KEPT = 1024
_is_usual_id = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_EPOCH = datetime.fromtimestamp(0, UTC)


def _read_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is UTC:
        return time
    if time.tzinfo is None:
        raise ValueError("no offset from UTC")
    return time.astimezone(UTC)


def _read_version(text: str) -> tuple[int, ...]:
    """
    Return the numbers at the beginning of a version: (11, 0, 0) for ``11.0.0rc1`` and ``11.0.0.dev3``. Metadata stores
    only numbers.
    """
    release = re.match(r"\d+(\.\d+)*", text)
    if release is None:
        raise ValueError("not dotted numbers")
    return tuple(map(int, release.group().split(".")))


@attrs.frozen
class Attribute:
    """One attribute of an event's metadata, and the header for it."""

    name: str
    header: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]
    missing: Any = None
    """
    The value if the record lacks the header. The value is None for required headers. It is also None for the time,
    because the caller supplies a default for the time.
    """
    varies: bool = False
    """Whether the value differs from event to event. The headers of the other attributes are cached."""

    def written(self, value: Any) -> tuple[str, bytes]:
        """Return the header for a value."""
        return self.header, self.write(value).encode()

    def value_of(self, header: bytes | None) -> Any:
        """Return the value in a header. Raises :class:`InvalidHeaders` if the header is malformed."""
        try:
            return self.read(_text(self.header, header))
        except (ValueError, OverflowError):
            raise InvalidHeaders(f"header {self.header} is malformed") from None


ATTRIBUTES = (
    Attribute("event_type", "ce_type", str, str),
    Attribute("id", "ce_id", str, UUID, varies=True),
    Attribute("source", "ce_source", str, str, missing="unknown"),
    Attribute("time", "ce_time", datetime.isoformat, _read_time, varies=True),
    Attribute("minorversion", "ce_minorversion", str, int, missing=0),
    Attribute("sourcehost", "sourcehost", str, str, missing="unknown"),
    Attribute("sourcelib", "sourcelib", lambda version: ".".join(map(str, version)), _read_version, missing=(0, 0, 0)),
)
_VARYING = {attribute.header: attribute for attribute in ATTRIBUTES if attribute.varies}
_LASTING = {attribute.header: attribute for attribute in ATTRIBUTES if not attribute.varies}
_ID, _TIME = _VARYING.values()
_lasting = attrgetter(*(attribute.name for attribute in _LASTING.values()))
HEADERS = _VARYING.keys() | _LASTING.keys() | {header for header, _ in _FIXED}
"""Names of the headers of an event; a record may have further headers."""


def to_headers(metadata: EventsMetadata, event_id: str) -> Headers:
    """Return the headers of an event; ``event_id`` is the text of the event's id."""
    lasting = _lasting_headers(*_lasting(metadata))
    return (*lasting, (_ID.header, event_id.encode()), (_TIME.header, metadata.time.isoformat().encode()))


@lru_cache(_KEPT)
def _lasting_headers(*values: Any) -> Headers:
    return (*_FIXED, *[attribute.written(value) for attribute, value in zip(_LASTING.values(), values, strict=True)])


def event_type(headers: Headers) -> str:
    """
    Return the event type. Raises :class:`InvalidHeaders` if its header is missing, null or not UTF-8, or occurs twice.
    """
    values = [value for header, value in headers if header == "ce_type"]
    if len(values) != 1:
        raise InvalidHeaders("header ce_type is missing" if not values else "header ce_type occurs more than once")
    return _text("ce_type", values[0])


def to_metadata(headers: Headers, timestamp: int | None) -> EventsMetadata:
    """
    Return the metadata of a record. Unknown headers are ignored. An attribute whose header is missing gets a neutral
    value. Only the type and the id are required.

    ``timestamp``: the record's timestamp in milliseconds, used if the header with the time is missing. Raises
    :class:`InvalidHeaders` if the type or the id is missing, or if a header occurs twice or is malformed.
    """
    return to_metadata_and_id(headers, timestamp)[0]


def to_metadata_and_id(headers: Headers, timestamp: int | None) -> tuple[EventsMetadata, str]:
    """Return the metadata of a record, and the text of the event's id. Raises as :func:`to_metadata` does."""
    names, last = tuple([name for name, _ in headers]), _last
    if names == last.names and last.lasting(headers) == last.kept:
        event_id, time = headers[last.id][1] or b"", headers[last.time][1] or b""
        try:
            text = event_id.decode()
            metadata = _metadata(last.template, {"id": UUID(text), "time": _read_time(time.decode())})
            return metadata, text if _is_usual_id(text) else str(metadata.id)
        except (ValueError, OverflowError):  # _read() raises an error that names the header
            pass
    metadata = _read(headers, names, timestamp)
    return metadata, str(metadata.id)


def _read(headers: Headers, names: tuple[str, ...], timestamp: int | None) -> EventsMetadata:
    global _last
    kept = tuple([header for header in headers if header[0] in _LASTING])
    template, found = _templates[kept], _values(headers, _VARYING, timestamp)
    if len(kept) > 1 and all(header in names for header in _VARYING) and size_of(kept) <= _LONGEST_KEPT:
        places = [place for place, name in enumerate(names) if name in _LASTING]
        _last = _Layout(names, itemgetter(*places), names.index(_ID.header), names.index(_TIME.header), kept, template)
    return _metadata(template, found)


def _metadata(template: EventsMetadata, found: dict[str, Any]) -> EventsMetadata:
    metadata = object.__new__(EventsMetadata)  # the constructor would check unchanged values for each event
    object.__setattr__(metadata, "__dict__", vars(template) | found)
    return metadata


def _values(headers: Headers, attributes: Mapping[str, Attribute], timestamp: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for header, value in headers:
        if header in attributes:
            attribute = attributes[header]
            if attribute.name in found:
                raise InvalidHeaders(f"header {header} occurs more than once")
            found[attribute.name] = attribute.value_of(value)
    if len(found) < len(attributes):
        missing = [attribute for attribute in attributes.values() if attribute.name not in found]
        found |= {attribute.name: _missing(attribute, timestamp) for attribute in missing}
    return found


def _template(lasting: Headers) -> EventsMetadata:
    return EventsMetadata(id=UUID(int=0), time=_EPOCH, **_values(lasting, _LASTING))


_LONGEST_KEPT = 1_000
_templates: Kept[EventsMetadata] = Kept(_template, size=size_of, longest=_LONGEST_KEPT)
"""Cache: the headers that do not vary → metadata without id and time."""


class _Layout(NamedTuple):
    """
    The header names of an event in their order, and the values of the headers that do not vary. The next event is
    read faster if both are the same.
    """

    names: tuple[str, ...] = ("",)
    lasting: Callable[[Headers], Any] = itemgetter(0)
    id: int = 0
    time: int = 0
    kept: Any = None
    template: Any = None


_last = _Layout()


def _text(header: str, value: bytes | None) -> str:
    if value is None:
        raise InvalidHeaders(f"header {header} is null")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidHeaders(f"header {header} is not UTF-8") from None


def _missing(attribute: Attribute, timestamp: int | None) -> Any:
    if attribute.name == "time":
        return _time_of(timestamp)
    if attribute.missing is None:
        raise InvalidHeaders(f"header {attribute.header} is missing")
    return attribute.missing


def _time_of(timestamp: int | None) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=timestamp or 0)
    except OverflowError:  # producers may set any timestamp
        return _EPOCH
