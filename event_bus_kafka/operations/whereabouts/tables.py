"""Searches this service's tables for an event: outbox, dead letters, inbox. Unreachable databases are noted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from time import monotonic
from uuid import UUID

from django.db import connections

from event_bus_kafka.dispatching import dispatch, inbox
from event_bus_kafka.interruptions import let_through
from event_bus_kafka.models import (
    DeadLetter,
    DeadLetterEntry,
    DeadLetterQuerySet,
    InboxMark,
    OutboxRecord,
    ParkedRecord,
)
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.operations.whereabouts.answer import MOST, MarkPlace, OutboxPlace, Question, Unseen
from event_bus_kafka.operations.whereabouts.bytes_search import has_key, ids_where
from event_bus_kafka.operations.whereabouts.gathered import TableFindings
from event_bus_kafka.operations.whereabouts.identifying import encodings
from event_bus_kafka.operations.whereabouts.letters import letter_places
from event_bus_kafka.operations.whereabouts.outbox_rows import SECONDS, rows_of_event, rows_with_key
from event_bus_kafka.outbox.database import may_have_outbox
from event_bus_kafka.telemetry.error_text import database_error_text


class Tables:
    """
    Searches all tables of this service. Each instance searches once. ``topics``: full names of the topics whose outbox
    rows are searched for the key.
    """

    def __init__(self, question: Question, topics: Collection[str]) -> None:
        self._event_id = question.event_id
        self._key = question.key or ""
        self._topics = topics
        self._found = TableFindings()

    def look(self) -> TableFindings:
        """
        Search the tables, and return the findings. Never raises a database error; an unreachable database is noted in
        ``unseen``.
        """
        for alias in connections:
            self._try(f"the outbox of database {alias!r}", partial(self._look_into_outbox, alias))
        self._try("dead letters", self._look_into_letters)
        if self._event_id is not None:
            for alias in sorted(inbox.aliases()):
                self._try(f"the inbox of database {alias!r}", partial(self._look_into_inbox, alias, self._event_id))
        return self._found

    def _try(self, what: str, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as error:  # noqa: BLE001 drivers raise anything; other tables still answer
            let_through(error)
            self._not_seen(what, database_error_text(error))

    def _not_seen(self, what: str, why: str) -> None:
        self._found.unseen.append(Unseen(what=what, why=why))

    def _look_into_outbox(self, alias: str) -> None:
        connection = connections[alias]
        if not may_have_outbox(connection) or not has_tables(connection, OutboxRecord, ParkedRecord):
            return
        if self._event_id is None:
            self._add_rows(rows_with_key(alias, self._topics, encodings(self._key)))
            return
        rows, left_behind = rows_of_event(alias, str(self._event_id))
        self._add_rows(rows)
        if left_behind is not None:
            self._not_seen(f"the outbox of database {alias!r} behind row {left_behind}", _out_of_time())

    def _add_rows(self, rows: list[OutboxPlace]) -> None:
        known = {(one.row, one.topic, one.since) for one in self._found.outbox}  # an alias may name a replica
        self._found.outbox += [one for one in rows if (one.row, one.topic, one.since) not in known]

    def _look_into_letters(self) -> None:
        letters = DeadLetter.objects.for_writing()
        if not has_tables(connections[letters.db], DeadLetter):
            return
        entries = DeadLetterEntry.objects.using(letters.db)
        if not letters.keeps_entries():
            entries = entries.none()
        if self._event_id is not None:
            wanted = {"event_id": str(self._event_id)}
            ids = list(letters.filter(**wanted).values_list("pk", flat=True))  # index only, no contents
            entries = entries.filter(**wanted)
        else:
            ids = self._letters_with_key(letters)
            entries = entries.filter(letter__in=ids)
        self._found.letters += letter_places(letters.filter(pk__in=ids).without_contents(), entries)

    def _letters_with_key(self, letters: DeadLetterQuerySet) -> list[int]:
        keys = encodings(self._key) | {self._key.encode()}
        ids, left_behind = ids_where(letters, has_key("key", keys), until=monotonic() + SECONDS)
        if left_behind is not None:
            self._not_seen(f"dead letters behind {left_behind}", _out_of_time())
        return ids[-MOST:]

    def _look_into_inbox(self, alias: str, event_id: UUID) -> None:
        if not inbox.is_migrated(alias):
            return
        marks = InboxMark.objects.using(alias).of(event_id, set(self._receivers()))
        self._found.marks += [
            MarkPlace(database=alias, receiver=one.receiver, since=round(one.marked_at.timestamp() * 1000))
            for one in marks
        ]

    def _receivers(self) -> Iterator[str]:
        """
        Yield the names under which receivers may have set a mark in the inbox. These names lack the ``dispatch_uid``.
        """
        for signal in dispatch.signals():
            yield from (name.partition("#")[0] for name in dispatch.names_of(dispatch.receivers_of(signal)))
        for letter in self._found.letters:
            yield from (part.receiver.partition("#")[0] for part in letter.receivers)


def _out_of_time() -> str:
    return f"{SECONDS:g} seconds were over"
