"""Searches this service's tables for an event: outbox, dead letters, inbox. Unreachable databases are noted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from time import monotonic
from uuid import UUID

import attrs
from django.db import DEFAULT_DB_ALIAS, connections, router

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
from event_bus_kafka.operations.status.asking import Unanswered, of_database
from event_bus_kafka.operations.whereabouts.answer import MOST, MarkPlace, Question, Unseen
from event_bus_kafka.operations.whereabouts.bytes_search import has_key, ids_where
from event_bus_kafka.operations.whereabouts.gathered import TableFindings
from event_bus_kafka.operations.whereabouts.identifying import encodings
from event_bus_kafka.operations.whereabouts.letters import letter_places
from event_bus_kafka.operations.whereabouts.outbox_rows import SECONDS, rows_of_event, rows_with_key
from event_bus_kafka.outbox.database import may_have_outbox
from event_bus_kafka.telemetry.error_text import database_error_text

_DATABASE = 3 * SECONDS
"""
Time limit for one search in a database, in seconds. A search by event id reads two tables without an index, each for at
most ``SECONDS``. The last third is for everything else.
"""
_SHARE_OF_TABLE = 0.4
"""Share of a database's time limit that the search in one table may take."""
_FIRST, _SECOND = 0.3, 0.4
"""
Shares of the time limit of the whole answer: outboxes and dead letters must answer within the first, inboxes within the
second.
"""


@attrs.frozen
class _Look:
    """
    A search in one database. ``what``: the searched place, for ``unseen``. ``do``: searches, within the given number of
    seconds.
    """

    what: str
    alias: str
    do: Callable[[float], TableFindings]


class Tables:
    """
    Searches all tables of this service. Each instance searches once. ``topics``: full names; outbox rows of other
    topics are left out of a search by key.
    """

    def __init__(self, question: Question, topics: Collection[str]) -> None:
        self._question = question
        self._key = question.key or ""
        self._topics = topics
        self._found = TableFindings()
        self._silent: dict[str, str] = {}
        """Alias of a database that has not answered in time → the reason for ``unseen``."""

    def look(self) -> TableFindings:
        """
        Search the tables, and return the findings. Other threads search the databases at the same time, each with a
        time limit. Only if another thread would not see the same rows does this thread search a database (see
        :func:`of_database`). Unavailable databases are noted in ``unseen``.
        """
        event_id = self._question.event_id
        outboxes = [_Look(f"the outbox of database {one!r}", one, partial(self._outbox, one)) for one in connections]
        self._ask([*outboxes, _Look("dead letters", alias_of_letters(), self._letters)], _FIRST)
        if event_id is not None:
            marks = [
                _Look(f"the inbox of database {one!r}", one, partial(self._inbox, one, event_id))
                for one in sorted(inbox.aliases())
            ]
            self._ask(marks, _SECOND)
        return self._found

    def _ask(self, looks: Sequence[_Look], share: float) -> None:
        seconds = self._question.left(_DATABASE, share)
        asked = [one for one in looks if one.alias not in self._silent]
        coming = [of_database(one.alias, seconds)(one.what, partial(one.do, seconds)) for one in asked]
        for one, answer in zip(asked, coming, strict=True):
            told = answer.wait(_briefly)
            if isinstance(told, Unanswered):
                self._not_seen(one.what, told.reason)
                if not answer.outcome.done():
                    self._silent[one.alias] = told.reason
            else:
                self._add(told)
        for one in looks:
            if one not in asked:
                self._not_seen(one.what, self._silent[one.alias])

    def _not_seen(self, what: str, why: str) -> None:
        self._found.unseen.append(Unseen(what=what, why=why))

    def _add(self, more: TableFindings) -> None:
        known = {(one.row, one.topic, one.since) for one in self._found.outbox}  # a replica has the same rows
        self._found.outbox += [one for one in more.outbox if (one.row, one.topic, one.since) not in known]
        self._found.letters += more.letters
        self._found.marks += more.marks
        self._found.unseen += more.unseen

    def _outbox(self, alias: str, seconds: float) -> TableFindings:
        connection, event_id = connections[alias], self._question.event_id
        if not may_have_outbox(connection) or not has_tables(connection, OutboxRecord, ParkedRecord):
            return TableFindings()
        if event_id is None:
            return TableFindings(outbox=rows_with_key(alias, self._topics, encodings(self._key)))
        rows, left_behind = rows_of_event(alias, str(event_id), seconds=seconds * _SHARE_OF_TABLE)
        what = f"the outbox of database {alias!r} behind row {left_behind}"
        return TableFindings(outbox=rows, unseen=[_out_of_time(what)] if left_behind is not None else [])

    def _letters(self, seconds: float) -> TableFindings:
        letters = DeadLetter.objects.for_writing()
        if not has_tables(connections[letters.db], DeadLetter):
            return TableFindings()
        entries = DeadLetterEntry.objects.using(letters.db)
        if not letters.keeps_entries():
            entries = entries.none()
        left_behind = None
        if self._question.event_id is not None:
            wanted = {"event_id": str(self._question.event_id)}
            ids = list(letters.filter(**wanted).values_list("pk", flat=True))  # from the index alone
            entries = entries.filter(**wanted)
        else:
            ids, left_behind = self._letters_with_key(letters, seconds)
            entries = entries.filter(letter__in=ids)
        found = letter_places(letters.filter(pk__in=ids).without_contents(), entries)
        unseen = [_out_of_time(f"dead letters behind {left_behind}")] if left_behind is not None else []
        return TableFindings(letters=found, unseen=unseen)

    def _letters_with_key(self, letters: DeadLetterQuerySet, seconds: float) -> tuple[list[int], int | None]:
        keys = encodings(self._key) | {self._key.encode()}
        until = monotonic() + min(SECONDS, seconds * _SHARE_OF_TABLE)
        ids, left_behind = ids_where(letters, has_key("key", keys), until=until)
        return ids[-MOST:], left_behind

    def _inbox(self, alias: str, event_id: UUID, _: float) -> TableFindings:
        if not inbox.is_migrated(alias):
            return TableFindings()
        marks = InboxMark.objects.using(alias).of(event_id, set(self._receivers()))
        places = [
            MarkPlace(database=alias, receiver=one.receiver, since=round(one.marked_at.timestamp() * 1000))
            for one in marks
        ]
        return TableFindings(marks=places)

    def _receivers(self) -> Iterator[str]:
        """Yield the names of receivers that the inbox may contain. These names have no ``dispatch_uid``."""
        for signal in dispatch.signals():
            yield from (name.partition("#")[0] for name in dispatch.names_of(dispatch.receivers_of(signal)))
        for letter in self._found.letters:
            yield from (part.receiver.partition("#")[0] for part in letter.receivers)


def alias_of_letters() -> str:
    """
    Return the alias of the database to which dead letters are written. If the router raises an exception, return the
    default alias.
    """
    try:
        return str(router.db_for_write(DeadLetter))
    except Exception as error:  # noqa: BLE001 routers may raise anything: the search raises it again, and notes it
        let_through(error)
        return DEFAULT_DB_ALIAS


def _briefly(what: str, error: Exception) -> Unanswered:
    """
    Convert the error of a database, or of a proxy before it, to :class:`Unanswered`. Values that the error quotes are
    left out, because they may be personal data.
    """
    return Unanswered(server=what, reason=database_error_text(error))


def _out_of_time(what: str) -> Unseen:
    return Unseen(what=what, why="the time for it was over")
