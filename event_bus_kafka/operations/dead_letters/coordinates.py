"""Parses a record's coordinates in the form that operators type."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Coordinates:
    """The place of a record in Kafka. ``topic``: the name as it was typed, which may lack the prefix."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Coordinates:
        """Parse a text of the form ``topic:partition:offset``. Raises ValueError."""
        topic, partition, offset = text.rsplit(":", 2)
        if not topic or not (partition.isdecimal() and offset.isdecimal()):
            raise ValueError(text)
        if int(partition) >= 1 << 31 or int(offset) >= 1 << 63:
            raise ValueError(text)
        return cls(topic=topic, partition=int(partition), offset=int(offset))

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"
