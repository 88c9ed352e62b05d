"""Keys as operators write them: which bytes a record's key may be then."""

from __future__ import annotations

from event_bus_kafka.wire import binary


def bodies_of(text: str) -> list[bytes]:
    """Return the bytes behind the schema id of a key that is this text, or this whole number."""
    bodies = [binary.string(text)]
    if text.removeprefix("-").isdecimal() and text.isascii() and -(1 << 63) <= int(text) < 1 << 63:
        bodies.append(binary.long(int(text)))
    return bodies
