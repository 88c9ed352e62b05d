"""Converts the plain text of a key into the bytes that a record's key may contain."""

from __future__ import annotations

from event_bus_kafka.wire import binary


def bodies_of(text: str) -> list[bytes]:
    """
    Return the Avro encodings that a key may have, without schema id: ``text`` as a string and, if ``text`` is a whole
    number, as a long.
    """
    bodies = [binary.string(text)]
    if text.removeprefix("-").isdecimal() and text.isascii() and -(1 << 63) <= int(text) < 1 << 63:
        bodies.append(binary.long(int(text)))
    return bodies
