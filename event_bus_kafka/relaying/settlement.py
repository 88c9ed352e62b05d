"""The state of each row of a batch, and its way out of the outbox: removed, or parked if Kafka refuses it for good."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

from django.db import Error

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.relaying.claims import CHUNK_ROWS, BatchPlan, Claims, Row
from event_bus_kafka.relaying.topics import Topics

MOST_TWICE = 4 * CHUNK_ROWS
"""Rows at most that a relay which is killed leaves in the outbox although Kafka may have them."""
MOST_PARKED = 1_000
"""Refused rows with which a batch ends: to park one takes a statement, and all that time the claim lasts."""


class Ledger:
    """
    The rows of one batch.

    A row is *in flight* until Kafka reports it. Then it is *confirmed*, *removing* once its removal has begun, and
    gone; or it is *refused*; or it waits again. If the relay is killed, rows that are in flight, confirmed or removing
    are sent twice: never more than ``MOST_TWICE``.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.gone = 0
        self.confirmed: list[Row] = []
        """With their bodies, so that there must never be many of them."""
        self.removing: deque[list[Row]] = deque()
        self.refused: list[tuple[Row, BrokerError]] = []
        """To be parked."""
        self.parked: list[tuple[Row, BrokerError]] = []
        """With the ids under which they are."""

    @property
    def unsettled(self) -> int:
        """How many rows Kafka may have that are still in the outbox."""
        return self.in_flight + len(self.confirmed) + sum(map(len, self.removing))

    @property
    def taken(self) -> int:
        """How many rows Kafka has."""
        return len(self.confirmed) + sum(map(len, self.removing)) + self.gone

    @property
    def unremoved(self) -> list[Row]:
        """The rows that Kafka has and that are still in the outbox, as far as is known."""
        return [row for rows in (*self.removing, self.confirmed) for row in rows]

    def begin(self) -> None:
        """A row is handed to the client."""
        self.in_flight += 1

    def confirm(self, row: Row) -> None:
        """Kafka has a row that was in flight."""
        self.in_flight -= 1
        self.confirmed.append(row)

    def take_back(self) -> None:
        """Kafka has not taken a row that was in flight: it waits in the outbox."""
        self.in_flight -= 1

    def refuse(self, refused: Iterable[tuple[Row, BrokerError]]) -> None:
        """Rows are to be parked."""
        self.refused += refused

    def begin_removal(self) -> list[Row]:
        """Return all rows that are confirmed, if any for :meth:`end_removal` once they have left the outbox."""
        rows, self.confirmed = self.confirmed, []
        if rows:
            self.removing.append(rows)
        return rows

    def end_removal(self) -> None:
        """The rows of the oldest removal have left the outbox."""
        self.gone += len(self.removing.popleft())


class Settlement:
    """
    Removes and parks the rows of batches. A missing right, a trigger that raises, a full disk or a locked row may keep
    some in the outbox: the first of each topic is remembered, and until it has left its topic is held, lest rows be
    sent again and again.

    The rows behind it are sent again, once: another relay may have sent some of them by now, and a key of which this
    one removed the rest would end with an old event. After a batch that failed the next ones are small, each twice as
    large as the one before, and are settled as far as the database lets their rows go.
    """

    def __init__(self, claims: Claims, topics: Topics) -> None:
        self._claims = claims
        self._topics = topics
        self._kept: dict[str, tuple[Row, BrokerError | None]] = {}
        """The first row of a topic that stays; the error of one that is to be parked."""
        self._most = CHUNK_ROWS
        """How many rows the next batch may have, less than a chunk after one that failed."""

    def keep(self, ledger: Ledger) -> None:
        """Remember what may be unsettled of a batch that failed."""
        unsettled: list[tuple[Row, BrokerError | None]] = [*((row, None) for row in ledger.unremoved), *ledger.refused]
        for row, error in sorted(unsettled, key=lambda found: found[0].id):
            self._kept.setdefault(row.topic, (row, error))
            self._most = 1

    def retry(self) -> None:
        """
        Remove or park the row that is kept of each topic that is due, or hold the topic. Raises a database error if the
        database does not answer.
        """
        for name, (row, error) in list(self._kept.items()):
            if self._topics[name].takes_rows:
                failure = self._failure_of(partial(self._let_go, row, error))
                if failure is None:
                    del self._kept[name]
                else:
                    self._topics[name].hold(failure)

    def first_of(self, plan: BatchPlan) -> BatchPlan:
        """Return what may be sent of a plan."""
        if self._most >= CHUNK_ROWS or not plan.chunks:
            return plan
        return BatchPlan([plan.chunks[0][: self._most]], is_full=True)

    def settle(self, confirmed: list[Row], ledger: Ledger, put_back: Sequence[int]) -> None:
        """
        Settle what is left of a batch, while it is claimed: remove ``confirmed``, park what was refused, and let parked
        rows with the ids ``put_back`` wait again. Raises a database error, after which :meth:`keep` is due.
        """
        if self._most < CHUNK_ROWS:
            self._most *= 2
            self._settle_as_far_as_it_goes(confirmed, ledger)
        else:
            self._claims.remove([row.id for row in confirmed])
            self._note_parked(ledger, ledger.refused, self._claims.park(ledger.refused))
        self._claims.put_back(put_back)

    def _settle_as_far_as_it_goes(self, rows: list[Row], ledger: Ledger) -> None:
        """Rows behind one that stays, of its topic, stay too."""
        if rows and self._failure_of(partial(self._remove, rows)) is not None:
            for _, of_topic in groupby(sorted(rows, key=attrgetter("topic", "id")), attrgetter("topic")):
                self._remove_first(list(of_topic))
        for refused in ledger.refused:
            failure = self._failure_of(partial(self._park, ledger, refused))
            if failure is not None:
                self._stays(*refused, failure)

    def _remove_first(self, rows: list[Row]) -> bool:
        """Remove rows of a topic as far as the first that stays, which is looked for by halves; False if one does."""
        failure = self._failure_of(partial(self._remove, rows))
        if failure is None:
            return True
        if len(rows) == 1:
            self._stays(rows[0], None, failure)
            return False
        half = len(rows) // 2
        return self._remove_first(rows[:half]) and self._remove_first(rows[half:])

    def _stays(self, row: Row, error: BrokerError | None, failure: Error) -> None:
        self._kept.setdefault(row.topic, (row, error))
        self._topics[row.topic].hold(failure)
        self._most = 1

    def _failure_of(self, attempt: Callable[[], None]) -> Error | None:
        """Return what failed on two connections, of which the first may have been cut. None: it did not."""
        failure = None
        for _ in range(2):
            try:
                attempt()
            except Error as error:
                self._claims.rows([0])  # whether the database answers
                failure = error
            else:
                return None
        return failure

    def _let_go(self, row: Row, error: BrokerError | None) -> None:
        """Not what has the same id since a database was restored."""
        if self._claims.rows([row.id]) != [row]:
            return
        if error is None:
            self._remove([row])
        else:
            self._claims.park([(row, error)], at_once=True)

    def _remove(self, rows: Sequence[Row]) -> None:
        self._claims.remove([row.id for row in rows], at_once=True)

    def _park(self, ledger: Ledger, refused: tuple[Row, BrokerError]) -> None:
        self._note_parked(ledger, [refused], self._claims.park([refused], at_once=True))

    def _note_parked(self, ledger: Ledger, refused: list[tuple[Row, BrokerError]], ids: list[int]) -> None:
        for (row, error), number in zip(refused, ids, strict=True):
            ledger.parked.append((row._replace(id=number), error))
            self._topics[row.topic].refusals.renumber(row, number)
