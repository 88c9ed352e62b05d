"""Divides a batch among topics while some topics have a limit, and among shards that all have many rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from operator import itemgetter
from random import sample
from typing import NamedTuple

_MOST_PARTS = 128
"""
Maximum number of pairs of shard and topic per query. Pairs whose topic has a limit do not count, and are always
queried. If there are more pairs, a random selection is queried, so that each pair is queried sooner or later.
"""
_OF_SHALLOW = 100
"""
Maximum number of rows to read for a pair of shard and topic if its last query found fewer rows than the query's limit.
If this is so for all pairs, the maximum does not apply.
"""


_LEAST = 4
"""If :func:`in_step` would return less than ``1 / _LEAST`` of the found rows, it returns all of them."""


def in_step(found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """
    Take the id of the last found row of each shard, and return the rows up to the lowest of these ids. Then no shard
    gets ahead of the others, and the ids of a batch are consecutive, so that its rows are read and removed faster.

    ``found``: id, size and shard of rows, sorted by id. If few rows would be left, because one shard has most rows,
    return all rows.
    """
    ends = {shard: number for number, _, shard in found}
    kept = bisect_right(found, min(ends.values()), key=itemgetter(0))
    return found[:kept] if kept * _LEAST >= len(found) else found


class Part(NamedTuple):
    """A pair of shard and topic, and the maximum number of its rows that a batch may take."""

    shard: int
    topic: str
    most: int


class Shares:
    """
    Divides ``rows`` rows of a batch among the pairs of shard and topic without a limit. Pairs that did not fill their
    last part get ``_OF_SHALLOW`` rows each, and the other pairs share the rest equally. If there are no other pairs,
    all parts are equal. Pairs with a limit get their limit in addition to ``rows``.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._shallow: set[tuple[int, str]] = set()
        """Pairs of shard and topic for which the last query found fewer rows than the query's limit."""

    def divide(self, found: Collection[tuple[int, str]], limits: Mapping[str, int]) -> list[Part]:
        """
        Return the parts of a batch. ``found``: the pairs of shard and topic with rows. ``limits``: topic → maximum
        number of its rows in each shard; other topics have no limit.
        """
        limited = [Part(shard, topic, limits[topic]) for shard, topic in found if limits.get(topic)]
        pairs = [pair for pair in found if pair[1] not in limits]
        if len(pairs) > _MOST_PARTS:
            pairs = sample(pairs, _MOST_PARTS)
        shallow = self._shallow.intersection(pairs)
        if len(shallow) == len(pairs):
            shallow = set()
        share = max((self._rows - _OF_SHALLOW * len(shallow)) // max(len(pairs) - len(shallow), 1), 1)
        return limited + [Part(*pair, _OF_SHALLOW if pair in shallow else share) for pair in pairs]

    def learn(self, parts: list[Part], counts: Mapping[int, int], limits: Mapping[str, int]) -> bool:
        """
        Remember which parts were filled. Return whether any part was filled, so that there may be more rows. Parts of
        topics in ``limits`` do not count.

        ``counts``: index in ``parts`` → number of rows that were found for this part.
        """
        asked = {number: part for number, part in enumerate(parts) if part.topic not in limits}
        full = {part[:2] for number, part in asked.items() if counts.get(number) == part.most}
        self._shallow |= {part[:2] for part in asked.values()}
        self._shallow -= full
        return bool(full)
