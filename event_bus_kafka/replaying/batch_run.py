"""
Sends one batch of a backfill. The batch runs on a lane. So in a worker with one lane, the source never runs at the same
time as a receiver, and neither of them needs to be thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice

import attrs
from django.db import Error

from event_bus_kafka.consuming.progress import Work
from event_bus_kafka.dispatching import cleanup
from event_bus_kafka.dispatching.event_context import event_context, keep_caches
from event_bus_kafka.dispatching.outages import outage_of
from event_bus_kafka.errors import ConfigurationError, TransactionLeftOpen, WorkerFailed
from event_bus_kafka.models import LetterState
from event_bus_kafka.operations.requested_runs.backfill_sources import reason_of
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.producing.backfill import Backfill, Failed, Item, Source
from event_bus_kafka.replaying.halts import Halt, HaltKind

MOST = 100
"""Maximum number of items in a batch. In a worker with one lane, live events wait for the end of the batch."""


@attrs.frozen(kw_only=True)
class ItemBatch:
    """
    The next batch of a source's items. Its topic and offset are only names for logs, because a batch is not a record.
    """

    number: int
    topic: str
    partition: int = 0

    @property
    def offset(self) -> int:
        return self.number

    @property
    def coordinates(self) -> str:
        return f"{self.topic}:{self.partition}:{self.number}"


@attrs.define(kw_only=True, eq=False)
class BatchRun:
    """
    Sends the items of a source, one batch in each turn, beginning after the token in ``progress``. The source is called
    anew for each batch, because other code runs on the lane between two batches and may close the source's connections.
    """

    source: Source
    backfill: Backfill
    progress: RunProgress
    lock: threading.Lock
    """Lock that is held while the progress changes."""
    most: int
    """Maximum number of items in a batch."""
    limit: int | None
    stop_after: int
    more: Callable[[ItemBatch | None], None] = lambda _: None
    """Function that is called with the next batch, or with None after the last batch."""

    def run(self, requested: ItemBatch, _: Callable[[Work], None]) -> LetterState | Halt:
        """
        Send a batch, and count the results of its items. Return a halt if the batch must be sent again, or if no
        further batch may be sent.
        """
        context = event_context()
        try:
            batch, failed = context.run(self._send)
        except WorkerFailed as failure:
            is_lasting = isinstance(failure.__cause__, (ConfigurationError, TransactionLeftOpen))
            return Halt(HaltKind.STOPPED if is_lasting else HaltKind.HELD, failure.reason)
        except (Exception, SystemExit, GeneratorExit) as error:  # noqa: BLE001 the service must not end the lane
            away = outage_of(error) if isinstance(error, Exception) else ""
            kind = HaltKind.HELD if away else HaltKind.STOPPED
            return Halt(kind, f"{self.source.name} raised {reason_of(error)}")
        finally:
            keep_caches(context)
            cleanup.roll_back_leftovers()
            cleanup.clean()
        if (in_row := self._count(batch, failed)) >= self.stop_after:
            return Halt(HaltKind.STOPPED, f"{in_row} items in a row failed")
        is_last = len(batch) < self.most or self.progress.items == self.limit
        self.more(None if is_last else ItemBatch(number=requested.number + 1, topic=requested.topic))
        return LetterState.SUCCEEDED

    def _send(self) -> tuple[list[Item], list[Failed]]:
        most = self.most if self.limit is None else min(self.most, self.limit - self.progress.items)
        try:
            batch = self._next(most)
        except Error:  # a server that was restarted has ended the connection
            cleanup.close_after_errors()
            batch = self._next(most)
        return batch, self.backfill.send(batch)

    def _next(self, most: int) -> list[Item]:
        items = islice(self.source.items(self.progress.token), most)
        return [(str(token), arguments) for token, arguments in items]

    def _count(self, batch: list[Item], failed: list[Failed]) -> int:
        """
        Count the results. Return the length of the longest series of failures, which may have begun in an earlier
        batch.
        """
        errors = {one.token: one.error for one in failed}
        longest = 0
        with self.lock:
            for token, _ in batch:
                error = errors.get(token)
                self.progress.failures_in_row = 0 if error is None else self.progress.failures_in_row + 1
                longest = max(longest, self.progress.failures_in_row)
                state = LetterState.SUCCEEDED if error is None else LetterState.FAILED
                self.progress.count(state, token, "" if error is None else reason_of(error))
                self.progress.items, self.progress.token = self.progress.items + 1, token
        return longest
