"""The relay, which sends the rows of an outbox. Several relays may share the rows of an outbox."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from random import sample, uniform
from time import monotonic, perf_counter, sleep

import attrs
from django.db import Error

from event_bus_kafka.errors import ClaimLost, ConfigurationError, EventBusError, WorkerFailed
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.relaying.background import BackgroundThread, PendingCalls
from event_bus_kafka.relaying.batch import Batch
from event_bus_kafka.relaying.claims import Claims
from event_bus_kafka.relaying.clients import Clients
from event_bus_kafka.relaying.framing import Frames
from event_bus_kafka.relaying.settlement import Settlement
from event_bus_kafka.relaying.timing import BATCH_TIME, CONFIRMED_WITHIN
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.telemetry.events import RelayInterrupted

_READ_AHEAD = 2
"""Number of chunks that are read while earlier chunks are sent."""
_REMOVALS_AHEAD = 2
"""Maximum number of chunks that wait for their removal while a later chunk is sent."""
_SHARE = 4
"""
Maximum number of shards that a relay claims if its last batch could not take all waiting rows, so that other relays can
claim the other shards. While there seems to be no other relay, this maximum applies only to one batch every
``_LEAVES_EVERY`` seconds.
"""
_ONLY_AFTER = 4
"""A relay counts as the only one if it got all requested shards in this number of batches in a row."""
_LEAVES_EVERY = 5.0
"""
Seconds after which the only relay sends one short batch without claiming all shards, because another relay may have
started.
"""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_PAUSE_FACTOR = 10
"""
After a search that finds no rows, the relay pauses for at least this many times the duration of the search, limited to
``_LONGEST_PAUSE``. Has no effect if the database notifies the relay of new rows.
"""
_SEARCH_EVERY = 1.0
"""
Maximum seconds between two searches for rows if the database notifies the relay of new rows. If the poll interval is
longer, it is the maximum instead.
"""


@attrs.frozen(kw_only=True)
class StepResult:
    """The result of one call of :meth:`Relay.step`."""

    sent: int = 0
    parked: int = 0
    left: bool = True
    """Whether there may be further rows that can be sent now."""
    trouble: str = ""
    """The text of the error that interrupted the relay, without event data; empty if no error interrupted it."""


class Relay:
    """
    A relay, used by one thread: call :meth:`step` repeatedly, and :meth:`stop` at the end.

    A row is removed from the outbox after Kafka has confirmed it. If the removal does not fail, the row's shard stays
    claimed until the row is removed. A batch contains only rows that were committed when it searched for rows, and
    sends the rows of each key in the order of their ids.
    """

    def __init__(
        self,
        *,
        claims: Claims,
        clients: Clients,
        registry: SchemaRegistry,
        poll_interval: float,
        topics: Topics,
        parked_holds_key: bool = False,
        on_step: Callable[[StepResult], None] = lambda _: None,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._claims = claims
        self._clients = clients
        self._registry = registry
        self._frames = Frames(claims, registry)
        self._settlement = Settlement(claims, topics)
        self._poll_interval = poll_interval
        self._topics = topics
        self._parked_holds_key = parked_holds_key
        self._on_step = on_step
        self._pause = pause
        self._interruptions = self._unconfirmed = 0
        self._is_full = False
        self._undisturbed = _ONLY_AFTER
        """Number of batches in a row, up to the last batch, in which the relay got all requested shards."""
        self._left_at = monotonic()
        """Monotonic time of the last batch that left some shards free; at first, of the start."""
        self._saw_all = True
        """Whether the last batch claimed all shards with rows, and took all their rows except those of held topics."""
        self._reader = BackgroundThread("reads")
        self._remover = BackgroundThread("removals")

    def step(self) -> None:
        """
        Send one batch, or wait if there is nothing to send. A batch takes little more than ``BATCH_TIME`` if the
        database is fast.

        After an error of Kafka, the registry or the database, pause; the next step then uses new clients and
        connections. Raises :class:`WorkerFailed` if the settings are wrong.
        """
        try:
            self._on_step(self._step())
        except ConfigurationError as error:
            raise WorkerFailed(str(error), exit_code=1) from error
        except (Error, EventBusError) as error:
            self._begin_anew(error, self._unconfirmed)
            self._unconfirmed = 0
            with suppress(Error):
                self._on_step(StepResult(trouble=database_error_text(error)))

    def stop(self, *, timeout: float) -> int:
        """Close clients and connections. Return 0, because no record is in flight between two steps."""
        self._reader.stop()
        self._remover.stop()
        self._claims.close()
        self._registry.close()
        self._clients.drop()
        return 0

    def _step(self) -> StepResult:
        self._topics.begin_batch(saw_all=self._saw_all)
        self._settlement.retry()
        self._clients.reach(set(self._topics), alone=bool(self._topics.limits))
        began = perf_counter()
        shards = self._claims.shards_with_rows()
        looked = perf_counter() - began
        self._saw_all = not shards
        if not shards:
            self._rest(looked)
            return StepResult(left=False)
        found = len(shards)
        is_short = False
        if self._is_full and found > _SHARE and (self._undisturbed < _ONLY_AFTER or self._is_to_leave):
            is_short = self._undisturbed >= _ONLY_AFTER
            shards, self._left_at = sample(shards, _SHARE), monotonic()
        batch = Batch(
            self._clients,
            self._frames,
            self._topics,
            parked_holds_key=self._parked_holds_key,
            is_claimed=lambda: self._claims.holds,
        )
        try:
            with self._claims.claim(shards) as claimed:
                self._undisturbed = self._undisturbed + 1 if len(claimed) == len(shards) else 0
                if claimed:
                    self._send(batch, claimed, is_short)
        except (Error, ClaimLost) as error:
            if isinstance(error, Error):  # after ClaimLost another relay may have sent and removed the rows
                self._settlement.keep(batch.ledger)
            self._unconfirmed = batch.unconfirmed + len(batch.ledger.unremoved)
            raise
        if not claimed:
            self._pause(uniform(0.2, 1.0) * min(self._poll_interval, _FIRST_PAUSE))  # until the others leave shards
            return StepResult()
        self._saw_all = len(claimed) == found and not self._is_full
        batch.tell()
        return self._settled(batch, looked)

    @property
    def _is_to_leave(self) -> bool:
        return monotonic() - self._left_at >= _LEAVES_EVERY

    def _settled(self, batch: Batch, looked: float) -> StepResult:
        """
        Return the result of the step. After an error, drop the clients and pause for the backoff. Also pause if no row
        can be sent now, for example because all topics are held. ``looked``: seconds that the search for shards took.
        """
        stepped = StepResult(sent=batch.ledger.taken, parked=len(batch.ledger.parked))
        self._clients.drop_failed()
        if stepped.sent or stepped.parked:
            self._interruptions = 0
        if batch.trouble is not None:
            self._begin_anew(batch.trouble, batch.unconfirmed)
            return attrs.evolve(stepped, trouble=database_error_text(batch.trouble))
        if batch.goes_on and not (stepped.sent or stepped.parked):
            self._rest(looked + batch.looked)  # all rows have to wait
            return attrs.evolve(stepped, left=False)
        return stepped

    def _send(self, batch: Batch, shards: list[int], is_short: bool) -> None:
        try:
            self._fill(batch, shards, is_short)
            if isinstance(batch.trouble, ClaimLost):
                raise batch.trouble
            self._settlement.settle(batch.take_confirmed(), batch.ledger, batch.put_back)
        except BaseException:
            batch.give_up()  # before the claim ends: otherwise a record could arrive after newer ones of other relays
            raise

    def _fill(self, batch: Batch, shards: list[int], is_short: bool) -> None:
        """
        Read and send one chunk of rows after another. While a chunk is sent, other threads read the next chunks and
        remove confirmed rows.
        """
        began = perf_counter()
        plan = self._settlement.first_of(self._claims.plan(shards, self._topics.limits, is_short=is_short))
        batch.looked = perf_counter() - began
        batch.deadline = monotonic() + BATCH_TIME  # however long the database took until now
        chunks = iter(plan.chunks)
        with self._reader.serving(batch) as reads, self._remover.serving(batch) as removals:
            for ids in islice(chunks, _READ_AHEAD):
                reads.begin(self._claims.rows, ids)
            while reads and batch.goes_on and monotonic() < batch.deadline - CONFIRMED_WITHIN:
                rows = reads.take()
                for ids in islice(chunks, 1):
                    reads.begin(self._claims.rows, ids)
                if not self._make_room(batch, removals, len(rows)):
                    break
                batch.send(rows)
                batch.collect(len(rows) if reads else 0)
            self._is_full = plan.is_full or bool(reads)
        batch.finish()

    def _make_room(self, batch: Batch, removals: PendingCalls, count: int) -> bool:
        """
        Begin the removal of confirmed rows. Wait for removals until ``count`` more rows may be sent. Return whether
        they may be sent.

        The result is False if there is no room even after all removals. For example, all room may be taken by rows of
        topics that do not answer.
        """
        if rows := batch.take_confirmed():
            removals.begin(self._claims.remove, [row.id for row in rows], at_once=True)
        while len(removals) > _REMOVALS_AHEAD or (removals and not batch.has_room_for(count)):
            removals.take()
            batch.ledger.end_removal()
        return batch.has_room_for(count)

    def _begin_anew(self, error: Exception, unconfirmed: int) -> None:
        """
        Drop the clients, close the connections and pause after an error. The clients are dropped because they may still
        contain records that other relays are sending now.
        """
        self._clients.drop()
        self._claims.close()  # the connections may have caused the error, or be cut during the pause
        delay = min(_FIRST_PAUSE * 2**self._interruptions, _LONGEST_PAUSE)
        self._interruptions += 1
        emit(RelayInterrupted(error=error, unconfirmed=unconfirmed, delay=delay))
        self._pause(delay)

    def _rest(self, looked: float) -> None:
        after_look = min(_PAUSE_FACTOR * looked, _LONGEST_PAUSE)  # a frozen process measures a long search
        seconds = self._claims.wait(max(self._poll_interval, after_look), max(self._poll_interval, _SEARCH_EVERY))
        if seconds:
            self._pause(seconds)
        self._clients.poll()
