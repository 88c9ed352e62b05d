"""Divides a batch among topics, while some of them may not fill it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import sample
from typing import NamedTuple

_MOST_PARTS = 128
"""Topics in shards that a look asks for. Of more a random part, so that each has its turn."""
_OF_SHALLOW = 100
"""Rows that are asked for of a topic in a shard that had no more the last time."""


class Part(NamedTuple):
    """How many rows of a topic in a shard a batch may take."""

    shard: int
    topic: str
    most: int


class Shares:
    """A topic in a shard that filled its part of the last batch gets more of the next: the others leave it theirs."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._deep: set[tuple[int, str]] = set()

    def divide(self, found: Collection[tuple[int, str]], limits: Mapping[str, int]) -> list[Part]:
        """Return the parts of a batch; ``limits``: how many rows of some topics at most."""
        limited = [Part(shard, topic, limits[topic]) for shard, topic in found if limits.get(topic)]
        pairs = [pair for pair in found if pair[1] not in limits]
        if len(pairs) > _MOST_PARTS:
            pairs = sample(pairs, _MOST_PARTS)
        deep = [pair for pair in pairs if pair in self._deep] or pairs
        shallow = 0 if deep is pairs else _OF_SHALLOW
        share = max((self._rows - shallow * (len(pairs) - len(deep))) // max(len(deep), 1), 1)
        known = set(deep)
        return limited + [Part(*pair, share if pair in known else shallow) for pair in pairs]

    def learn(self, parts: list[Part], counts: Mapping[int, int], limits: Mapping[str, int]) -> bool:
        """Remember which parts, by their number, were filled; return whether there may be more of them."""
        full = {part[:2] for number, part in enumerate(parts) if counts.get(number) == part.most}
        self._deep = {pair for pair in full if pair[1] not in limits}
        return bool(self._deep)
