"""Converts a key in plain text into the bytes that a record's key may have."""

from __future__ import annotations

from event_bus_kafka.wire import binary


def bodies_of(text: str) -> list[bytes]:
    """Return the Avro bytes, without schema id, of a key that is ``text`` or the whole number in ``text``."""
    bodies = [binary.string(text)]
    if text.removeprefix("-").isdecimal() and text.isascii() and -(1 << 63) <= int(text) < 1 << 63:
        bodies.append(binary.long(int(text)))
    return bodies
