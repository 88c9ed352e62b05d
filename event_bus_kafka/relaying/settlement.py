"""
Tracks the state of each row of a batch. Removes confirmed rows from the outbox, and parks rows that Kafka refuses for
good.
"""

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
"""
Maximum number of rows that are still in the outbox although Kafka may have them. If the relay is killed, Kafka may get
these rows twice.
"""
MOST_PARKED = 1_000
"""
A batch with this number of refused rows sends no more rows. The number is small, because parking takes one statement
per row while the shards are claimed.
"""


class Ledger:
    """
    The rows of one batch, by state.

    A row is *in flight* until its delivery report comes. If Kafka has accepted the row, it is then *confirmed*. It is
    *removing* once its removal has begun, and *gone* after the removal. If Kafka has not accepted the row, it is
    *refused*, or waits in the outbox again.

    If the relay is killed, Kafka may get the rows that are in flight, confirmed or removing twice. There are never more
    than ``MOST_TWICE`` of these rows.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.gone = 0
        self.confirmed: list[Row] = []
        """Confirmed rows with their bodies; their number must stay small."""
        self.removing: deque[list[Row]] = deque()
        self.refused: list[tuple[Row, BrokerError]] = []
        """Refused rows that are to be parked."""
        self.parked: list[tuple[Row, BrokerError]] = []
        """Parked rows, with the ids under which they are parked."""

    @property
    def unsettled(self) -> int:
        """Number of rows that Kafka may have and that are still in the outbox."""
        return self.in_flight + len(self.confirmed) + sum(map(len, self.removing))

    @property
    def taken(self) -> int:
        """Number of rows that Kafka has confirmed, including rows that are already removed."""
        return len(self.confirmed) + sum(map(len, self.removing)) + self.gone

    @property
    def unremoved(self) -> list[Row]:
        """Rows that Kafka has confirmed and that, as far as is known, are still in the outbox."""
        return [row for rows in (*self.removing, self.confirmed) for row in rows]

    def begin(self, count: int = 1) -> None:
        """Note that ``count`` rows were handed to a client."""
        self.in_flight += count

    def confirm(self, row: Row) -> None:
        """Note that Kafka has confirmed a row that was in flight."""
        self.in_flight -= 1
        self.confirmed.append(row)

    def take_back(self) -> None:
        """Note that a row is no longer in flight, because Kafka has not accepted it. The row is still in the outbox."""
        self.in_flight -= 1

    def refuse(self, refused: Iterable[tuple[Row, BrokerError]]) -> None:
        """Note that the rows in ``refused`` are to be parked."""
        self.refused += refused

    def begin_removal(self) -> list[Row]:
        """
        Return all confirmed rows, and change their state to *removing*. If there are such rows, call
        :meth:`end_removal` after they are removed from the outbox.
        """
        rows, self.confirmed = self.confirmed, []
        if rows:
            self.removing.append(rows)
        return rows

    def end_removal(self) -> None:
        """Note that the oldest unfinished removal has ended."""
        self.gone += len(self.removing.popleft())


class Settlement:
    """
    Removes and parks the rows of batches.

    A missing right, a trigger that raises, a full disk or a locked row may keep rows in the outbox. For each topic the
    first of these rows is remembered. The topic is held until this row is removed or parked, because otherwise the row
    would be sent again and again.

    Only the remembered row is then removed or parked; the topic's rows after it are sent once more. Another relay may
    have sent some of these rows in the meantime. If this relay then removed only some of them, an old record could
    become the last record of its key.

    After a failed batch the next batch has at most one row. The maximum is doubled with each batch, until it reaches
    the usual size. Each of these batches settles as many of its rows as the database permits.
    """

    def __init__(self, claims: Claims, topics: Topics) -> None:
        self._claims = claims
        self._topics = topics
        self._kept: dict[str, tuple[Row, BrokerError | None]] = {}
        """Topic → the first row that stays in the outbox, with Kafka's error if the row is to be parked."""
        self._most = CHUNK_ROWS
        """Maximum number of rows of the next batch; less than a chunk after a failed batch."""

    def keep(self, ledger: Ledger) -> None:
        """
        Remember rows of a failed batch: for each topic, the first row that should have been removed or parked. A row
        that is already remembered for the topic is kept. Limit the next batch to one row.
        """
        unsettled: list[tuple[Row, BrokerError | None]] = [*((row, None) for row in ledger.unremoved), *ledger.refused]
        for row, error in sorted(unsettled, key=lambda found: found[0].id):
            self._kept.setdefault(row.topic, (row, error))
            self._most = 1

    def retry(self) -> None:
        """
        For each topic that takes rows now, try to remove or park the remembered row, if there is one. If this fails,
        hold the topic.

        Raises a database error if the database does not answer.
        """
        for name, (row, error) in list(self._kept.items()):
            if self._topics[name].takes_rows:
                failure = self._failure_of(partial(self._let_go, row, error))
                if failure is None:
                    del self._kept[name]
                else:
                    self._topics[name].hold(failure)

    def first_of(self, plan: BatchPlan) -> BatchPlan:
        """Return the part of ``plan`` that one batch may send; after a failed batch, only the plan's first rows."""
        if self._most >= CHUNK_ROWS or not plan.chunks:
            return plan
        return BatchPlan([plan.chunks[0][: self._most]], is_full=True)

    def settle(self, confirmed: list[Row], ledger: Ledger, put_back: Sequence[int]) -> None:
        """
        Settle the remaining rows of a batch while the batch's shards are claimed: remove ``confirmed``, park refused
        rows, and move parked rows back into the outbox.

        ``put_back``: ids of the parked rows to move back. Raises a database error. After an error, call :meth:`keep`.
        """
        if self._most < CHUNK_ROWS:
            self._most *= 2
            self._settle_as_far_as_it_goes(confirmed, ledger)
        else:
            self._claims.remove([row.id for row in confirmed])
            self._note_parked(ledger, ledger.refused, self._claims.park(ledger.refused))
        self._claims.put_back(put_back)

    def _settle_as_far_as_it_goes(self, rows: list[Row], ledger: Ledger) -> None:
        """
        Remove ``rows`` and park refused rows, as far as the database permits. If a row cannot be removed, the later
        rows of its topic in ``rows`` stay in the outbox, too.
        """
        if rows and self._failure_of(partial(self._remove, rows)) is not None:
            for _, of_topic in groupby(sorted(rows, key=attrgetter("topic", "id")), attrgetter("topic")):
                self._remove_first(list(of_topic))
        for refused in ledger.refused:
            failure = self._failure_of(partial(self._park, ledger, refused))
            if failure is not None:
                self._stays(*refused, failure)

    def _remove_first(self, rows: list[Row]) -> bool:
        """
        Remove the rows of a topic, or the rows before the first one that cannot be removed. Bisection finds this row.
        Return whether all rows were removed.
        """
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
        """
        Call ``attempt``. If it fails, call it again on a new connection. Return the error if both calls fail, and None
        otherwise. Raises a database error if the database does not answer.
        """
        failure = None
        for _ in range(2):
            try:
                attempt()
            except Error as error:
                self._claims.rows([0])  # raises if the database does not answer
                failure = error
            else:
                return None
        return failure

    def _let_go(self, row: Row, error: BrokerError | None) -> None:
        """
        Remove or park ``row``, a remembered row. Do nothing if the outbox does not contain exactly this row. After the
        restore of a backup, another row may have its id.
        """
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
