"""
Tracks the state of each row of a batch; removes the rows from the outbox, or parks rows that Kafka refuses for good.
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
Maximum number of rows that Kafka may have and that are still in the outbox. If the relay is killed, they are sent
twice.
"""
MOST_PARKED = 1_000
"""Number of refused rows at which a batch ends: parking takes a statement per row while the claim lasts."""


class Ledger:
    """
    The rows of one batch, by state.

    A row is *in flight* until its delivery report comes. A row that Kafka has accepted is then *confirmed*, *removing*
    once its removal has begun, and *gone* after the removal. A row that Kafka has not accepted is *refused*, or waits
    in the outbox again. If the relay is killed, the rows that are in flight, confirmed or removing are sent twice:
    never more than ``MOST_TWICE``.
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
        """Number of rows that Kafka has."""
        return len(self.confirmed) + sum(map(len, self.removing)) + self.gone

    @property
    def unremoved(self) -> list[Row]:
        """Rows that Kafka has and that, as far as is known, are still in the outbox."""
        return [row for rows in (*self.removing, self.confirmed) for row in rows]

    def begin(self, count: int = 1) -> None:
        """Note that rows were handed to a client."""
        self.in_flight += count

    def confirm(self, row: Row) -> None:
        """Note that Kafka has confirmed a row that was in flight."""
        self.in_flight -= 1
        self.confirmed.append(row)

    def take_back(self) -> None:
        """Note that Kafka has not accepted a row that was in flight: the row waits in the outbox."""
        self.in_flight -= 1

    def refuse(self, refused: Iterable[tuple[Row, BrokerError]]) -> None:
        """Note that rows are to be parked."""
        self.refused += refused

    def begin_removal(self) -> list[Row]:
        """
        Return all confirmed rows. If there are any, call :meth:`end_removal` once they are removed from the outbox.
        """
        rows, self.confirmed = self.confirmed, []
        if rows:
            self.removing.append(rows)
        return rows

    def end_removal(self) -> None:
        """Note that the rows of the oldest removal are removed from the outbox."""
        self.gone += len(self.removing.popleft())


class Settlement:
    """
    Removes and parks the rows of batches.

    A missing right, a trigger that raises, a full disk or a locked row may keep rows in the outbox. The first such row
    of each topic is remembered, and its topic is held until the row is removed or parked. Otherwise the row would be
    sent again and again. The topic's later rows are sent once more: another relay may have sent some of them meanwhile,
    and if only the others were removed, an old record could become the last one of its key.

    After a failed batch the next batch has one row, and each further batch has twice as many rows as the batch before.
    Each of these batches settles as many of its rows as the database permits.
    """

    def __init__(self, claims: Claims, topics: Topics) -> None:
        self._claims = claims
        self._topics = topics
        self._kept: dict[str, tuple[Row, BrokerError | None]] = {}
        """Topic → the first row that stays in the outbox, with Kafka's error if the row is to be parked."""
        self._most = CHUNK_ROWS
        """Maximum number of rows of the next batch; less than a chunk after a failed batch."""

    def keep(self, ledger: Ledger) -> None:
        """Remember rows of a failed batch that perhaps cannot be removed or parked."""
        unsettled: list[tuple[Row, BrokerError | None]] = [*((row, None) for row in ledger.unremoved), *ledger.refused]
        for row, error in sorted(unsettled, key=lambda found: found[0].id):
            self._kept.setdefault(row.topic, (row, error))
            self._most = 1

    def retry(self) -> None:
        """
        Remove or park the remembered row of each topic whose hold is over, or hold the topic again.

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
        """Return the part of a plan that may be sent now."""
        if self._most >= CHUNK_ROWS or not plan.chunks:
            return plan
        return BatchPlan([plan.chunks[0][: self._most]], is_full=True)

    def settle(self, confirmed: list[Row], ledger: Ledger, put_back: Sequence[int]) -> None:
        """
        Settle the rest of a batch while it is claimed: remove ``confirmed``, park refused rows, and move parked rows
        back.

        ``put_back``: ids of parked rows that go back into the outbox. Raises a database error; then call :meth:`keep`.
        """
        if self._most < CHUNK_ROWS:
            self._most *= 2
            self._settle_as_far_as_it_goes(confirmed, ledger)
        else:
            self._claims.remove([row.id for row in confirmed])
            self._note_parked(ledger, ledger.refused, self._claims.park(ledger.refused))
        self._claims.put_back(put_back)

    def _settle_as_far_as_it_goes(self, rows: list[Row], ledger: Ledger) -> None:
        """Settle row by row. If a row stays in the outbox, the later rows of its topic stay there, too."""
        if rows and self._failure_of(partial(self._remove, rows)) is not None:
            for _, of_topic in groupby(sorted(rows, key=attrgetter("topic", "id")), attrgetter("topic")):
                self._remove_first(list(of_topic))
        for refused in ledger.refused:
            failure = self._failure_of(partial(self._park, ledger, refused))
            if failure is not None:
                self._stays(*refused, failure)

    def _remove_first(self, rows: list[Row]) -> bool:
        """
        Remove the rows of a topic up to the first row that stays, which is found by bisection. Return False if a row
        stays.
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
        Return the error of ``attempt`` if it fails twice, the second time on a new connection; otherwise None. Raises a
        database error if the database does not answer.
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
        """Settle a remembered row, unless it has changed: after the restore of a backup another row may have its id."""
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
