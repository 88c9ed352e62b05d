"""Finds the waiting and parked rows of an event in an outbox, by the event's id or key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import reduce
from operator import or_
from time import monotonic
from typing import Any

from django.db.models import Q

from event_bus_kafka.models import OutboxRecord, ParkedRecord
from event_bus_kafka.operations.whereabouts.answer import MOST, OutboxPlace
from event_bus_kafka.operations.whereabouts.bytes_search import contains, ids_where
from event_bus_kafka.outbox.append import shard_of
from event_bus_kafka.wire.headers import text_of

SECONDS = 5.0
"""Time limit for searching a table without a suitable index, in seconds."""
_PARKED = ("parked_at", "code", "reason")


def rows_of_event(alias: str, event_id: str, *, seconds: float) -> tuple[list[OutboxPlace], int | None]:
    """
    Return the waiting and parked rows of an event in a database, and None if all rows of both tables were searched. If
    there was no time to finish a table, return the id of its last searched row (0: no row was searched) instead of
    None. If neither table was finished, return the id from the table of waiting rows. The database must have both
    tables.

    ``seconds``: time limit for each table. Raises a database error.
    """
    limit = min(SECONDS, seconds)
    found: list[OutboxPlace] = []
    waiting = OutboxRecord.objects.using(alias)
    ids, left_behind = ids_where(waiting, contains("headers", event_id.encode()), until=monotonic() + limit)
    found += _places(alias, waiting.filter(pk__in=ids), "created")
    parked: Any = ParkedRecord.objects.using(alias)
    ids, left_parked = ids_where(parked, contains("headers", event_id.encode()), until=monotonic() + limit)
    found += _places(alias, parked.filter(pk__in=ids), *_PARKED)
    is_event = [one for one in found if one.event_id == event_id]  # a header of another event may quote the id
    return is_event, left_parked if left_behind is None else left_behind


def rows_with_key(alias: str, topics: Collection[str], keys: Collection[bytes]) -> list[OutboxPlace]:
    """
    Return the latest waiting and parked rows whose topic is in ``topics`` and whose key is in ``keys`` (Avro, without
    schema id). Uses an index. Raises a database error.
    """
    places = [(topic, key) for topic in topics for key in keys]
    has_key = reduce(or_, [Q(shard=shard_of(*one), topic=one[0], key=one[1]) for one in places], Q(pk__in=()))
    parked: Any = ParkedRecord.objects.using(alias)
    waiting = OutboxRecord.objects.using(alias)
    return [
        *_places(alias, waiting.filter(has_key).order_by("-pk")[:MOST], "created"),
        *_places(alias, parked.filter(has_key).order_by("-pk")[:MOST], *_PARKED),
    ]


def _places(alias: str, rows: Any, *why: str) -> Iterator[OutboxPlace]:
    for row, topic, headers, since, *reasons in rows.values_list("pk", "topic", "headers", *why):
        packed = bytes(headers)
        yield OutboxPlace(
            database=alias,
            row=row,
            topic=topic,
            event_type=text_of(packed, "ce_type"),
            event_id=text_of(packed, "ce_id"),
            since=since,
            **dict(zip(("code", "reason"), reasons, strict=False)),
        )
