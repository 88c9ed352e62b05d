"""The relay's access to the database: finds and claims shards with rows, and reads and removes these rows."""

from __future__ import annotations

import select
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from operator import itemgetter
from time import time
from typing import Any, NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.errors import BrokerError, ConfigurationError, RowsStay
from event_bus_kafka.models import SHARDS, OutboxRecord, OutboxShard, WriterSchema
from event_bus_kafka.models.outbox import TOPICS_INDEX
from event_bus_kafka.outbox.append import CHANNEL
from event_bus_kafka.outbox.chunks import in_chunks
from event_bus_kafka.outbox.writer_schemas import destination_of
from event_bus_kafka.relaying.connection import OwnConnection
from event_bus_kafka.relaying.shares import Shares, in_step
from event_bus_kafka.relaying.statements import DIALECTS
from event_bus_kafka.wire.records import Destination

_LONGEST_REASON = 255
_BATCH_ROWS, _BATCH_BYTES = 32_000, 32_000_000
CHUNK_ROWS = 1_000
_CHUNK_BYTES = 2_000_000


class Row(NamedTuple):
    """A row of the outbox."""

    id: int
    topic: str
    key: bytes
    body: bytes | None
    headers: bytes
    """The packed headers. Unpacked ones would slow down the garbage collector, which visits each object."""
    schema: int


class BatchPlan(NamedTuple):
    """The rows that a batch will send."""

    chunks: list[list[int]]
    """Ids of the rows, in chunks. The chunks are sent in this order, the rows of a chunk in the order of their ids."""
    is_full: bool
    """Whether there may be more waiting rows than the plan contains."""


class Claims:
    """
    Claims shards for batches. ``notify``: whether to listen for PostgreSQL's notifications. ``parked_holds_key``:
    whether plans leave out rows whose key has an older parked row.

    A claim locks the rows of its shards in the table of shards while the batch is in flight. It does not lock the rows
    of events. The database releases the lock when the relay's connection ends.

    The claim uses its own connection, at READ COMMITTED, because an older snapshot would show rows that were already
    sent. A second connection removes rows while the first one reads. SQLite cannot lock rows. On SQLite every claim
    succeeds, and other writers wait only for the short removals.
    """

    def __init__(self, alias: str, *, notify: bool, parked_holds_key: bool) -> None:
        self._parked_holds_key = parked_holds_key
        shared = connections[alias]
        if shared.vendor not in DIALECTS:
            raise ConfigurationError(f"The outbox does not run on {shared.vendor}: use PostgreSQL, MySQL or MariaDB.")
        self._dialect = DIALECTS[shared.vendor]
        self._listens = notify and shared.vendor == "postgresql"
        self._connection = OwnConnection(shared, self._dialect, self._listen)
        self._second = OwnConnection(shared, self._dialect)
        """The connection for removals outside of the claim's transaction. It is closed while the relay has no rows."""
        self._destinations: dict[int, Destination] = {}
        self._shares = Shares(_BATCH_ROWS)
        self._is_indexed = False
        """Whether the index that finds rows by topic exists. Older versions of this package do not create the index."""
        self._told = False

    def shards_with_rows(self) -> list[int]:
        """Return the shards with committed rows. Raises a database error."""
        return [shard for (shard,) in self._connection.query(self._dialect.probe)]

    @contextmanager
    def claim(self, shards: Sequence[int]) -> Iterator[list[int]]:
        """
        Claim shards until the end of the ``with`` block, which commits. Yield those that no other relay has claimed.

        Raises a database error. An error rolls back the changes of the block, except changes that were made with
        ``at_once``. On SQLite, an error rolls back nothing.
        """
        if not self._dialect.locks:
            yield list(shards)
            return
        with self._connection.transaction():
            yield [shard for (shard,) in self._connection.query(self._dialect.lock(shards))]

    @property
    def holds(self) -> bool:
        """Whether the relay still has the claim, according to the state of the socket. No query is sent."""
        return not (self._dialect.locks and self._connection.is_cut)

    def plan(self, shards: Sequence[int], limits: Mapping[str, int], *, is_short: bool = False) -> BatchPlan:
        """
        Search the rows of these shards once; return the rows that a batch is to send.

        Rows that commit after the search wait for the next batch. A second search could find a row and miss an earlier
        row with the same key. ``limits``: topic → maximum number of its rows per shard; other topics have no limit.
        ``is_short``: whether to plan few rows, so that these shards do not get far ahead of the other shards. It has no
        effect if there are limits.
        """
        if limits:
            return self._plan_by_topic(shards, limits)
        most = _BATCH_ROWS // (SHARDS if is_short else len(shards))
        statement = self._dialect.plan(shards, most=most, parked_holds_key=self._parked_holds_key)
        found = sorted(self._connection.query(statement, binary=True))
        counts = Counter(shard for _, _, shard in found)
        if all(counts[shard] == most for shard in shards):
            found = in_step(found)
        return _plan_of(found, is_full=most in counts.values())

    def _plan_by_topic(self, shards: Sequence[int], limits: Mapping[str, int]) -> BatchPlan:
        self._is_indexed = self._is_indexed or self._connection.has_index(OutboxRecord._meta.db_table, TOPICS_INDEX)
        parts = self._shares.divide(self._topics_in(shards), limits)
        if not parts:
            return BatchPlan([], is_full=False)
        sizes = [(part.shard, part.most) for part in parts]
        statement = self._dialect.plan_by_topic(
            sizes, is_indexed=self._is_indexed, parked_holds_key=self._parked_holds_key
        )
        found = self._connection.query(statement, self._dialect.names([part.topic for part in parts]))
        few = sum(part.topic in limits for part in parts)  # sorted first: they are sent one by one, beside the others
        found = sorted(found, key=lambda row: (row[2] >= few, row[0]))
        return _plan_of(found, is_full=self._shares.learn(parts, Counter(row[2] for row in found), limits))

    def _topics_in(self, shards: Sequence[int]) -> list[tuple[int, str]]:
        found, last = [], [(shard, "") for shard in shards]
        while last:
            statement = self._dialect.next_topics([shard for shard, _ in last], is_indexed=self._is_indexed)
            rows = self._connection.query(statement, [topic for _, topic in last])
            last = [(int(shard), str(topic)) for shard, topic in rows]
            found += last
        return found

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """Return the rows with these ids that are still in the outbox, sorted by id. Raises a database error."""
        if not ids:
            return []
        found = sorted(self._connection.query(*self._dialect.fetch(ids), binary=True), key=itemgetter(0))
        if found and isinstance(found[0][-2], memoryview):  # psycopg2
            found = [tuple([bytes(one) if isinstance(one, memoryview) else one for one in row]) for row in found]
        return list(map(Row._make, found))

    def destination(self, schema: int) -> Destination | None:
        """Return the destination for a row's ``schema``, which is an id; None if the table no longer has this id."""
        if schema not in self._destinations:
            names = [field.attname for field in WriterSchema._meta.concrete_fields]
            statement = f"SELECT {', '.join(names)} FROM {WriterSchema._meta.db_table} WHERE id = %s"
            for row in self._connection.query(statement, [schema]):
                self._destinations[schema] = destination_of(dict(zip(names, row, strict=True)))
        return self._destinations.get(schema)

    def remove(self, ids: Sequence[int], *, at_once: bool = False) -> None:
        """
        Remove rows that Kafka has confirmed, in the claim's transaction. With ``at_once``, or on SQLite, use a separate
        transaction.

        Rows that are removed only after the claim has ended may be sent twice. Raises a database error;
        :class:`RowsStay` if rows stay although the database reported no error.
        """
        if ids:
            with self._settling(at_once=at_once) as connection:
                self._remove(connection, ids)

    def park(self, rejected: Sequence[tuple[Row, BrokerError]], *, at_once: bool = False) -> list[int]:
        """
        Park rows that Kafka refuses; return the ids under which they are parked. ``at_once`` and the exceptions: as for
        :meth:`remove`.
        """
        if not rejected:
            return []
        now, ids = int(time() * 1000), [row.id for row, _ in rejected]
        with self._settling(at_once=at_once) as connection:
            numbers = self._free_numbers(connection, ids)
            for (row, error), number in zip(rejected, numbers, strict=True):
                reason = error.reason.replace("\0", "")[:_LONGEST_REASON]
                if not connection.execute(self._dialect.park, [number, error.code, reason, now, row.id]):
                    self._require_none(connection, [row.id], "parked")
            self._remove(connection, ids)
        return numbers

    def put_back(self, ids: Sequence[int]) -> None:
        """Move parked rows back into the outbox, under their ids as parked rows. Skip ids that no parked row has."""
        for number in ids:
            with self._settling() as connection:
                if connection.execute(self._dialect.put_back, [number]):  # still parked
                    connection.execute(self._dialect.forget_parked, [number])

    def wait(self, seconds: float, longest: float) -> float:
        """
        Return the seconds for which the caller has to sleep. If the relay listens for PostgreSQL's notifications, wait
        here at most ``longest`` seconds for a notification, and return 0. Otherwise, or if the connection cannot be
        watched, return ``seconds`` at once.
        """
        self._second.close()
        if not self._listens:
            return seconds
        raw = self._connection.raw
        if not self._told and not _queued(raw):  # psycopg2 receives notifications together with answers
            try:
                select.select([raw.fileno()], [], [], longest)
            except (OSError, ValueError):  # closed, or its number is too high for select()
                return seconds
        self._told = False
        return 0.0

    def close(self) -> None:
        """Close both connections; open transactions are rolled back."""
        self._second.close()
        self._connection.close()
        self._is_indexed = False

    def _remove(self, connection: OwnConnection, ids: Sequence[int]) -> None:
        if connection.remove(ids) < len(ids):
            self._require_none(connection, ids, "removed")

    def _require_none(self, connection: OwnConnection, ids: Sequence[int], done: str) -> None:
        """Raise :class:`RowsStay` if any of these rows is still in the outbox."""
        ((left,),) = connection.query(*self._dialect.count(ids))
        if left:
            raise RowsStay(int(left), done)

    def _free_numbers(self, connection: OwnConnection, ids: Sequence[int]) -> list[int]:
        """Return ids under which to park rows: their own, or new ones below all others if a parked row has the id."""
        taken = {number for (number,) in connection.query(self._dialect.parked_of(ids))}
        if not taken:
            return list(ids)
        ((lowest,),) = connection.query(self._dialect.lowest_parked)
        below = count(min(int(lowest), 0) - 1, -1)
        return [next(below) if number in taken else number for number in ids]

    @contextmanager
    def _settling(self, *, at_once: bool = False) -> Iterator[OwnConnection]:
        """Run the ``with`` block in the claim's transaction; with ``at_once`` or on SQLite, in a separate one."""
        if at_once or not self._dialect.locks:
            with self._second.transaction():
                yield self._second
        else:
            yield self._connection

    def _listen(self, connection: BaseDatabaseWrapper) -> None:
        if self._listens:
            if hasattr(connection.connection, "add_notify_handler"):  # psycopg 3
                connection.connection.add_notify_handler(self._note)
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")

    def _note(self, _: Any) -> None:
        self._told = True


_Planned = tuple[Any, ...]
"""A row's id, its size in bytes, and its shard; with limits, the number of its :class:`Part` replaces the shard."""


def _plan_of(found: list[_Planned], *, is_full: bool) -> BatchPlan:
    taken = list(_within(_BATCH_BYTES, found))
    chunks = in_chunks(taken, itemgetter(1), most=CHUNK_ROWS, most_bytes=_CHUNK_BYTES)
    return BatchPlan([[row[0] for row in chunk] for chunk in chunks], is_full=is_full or len(taken) < len(found))


def _within(limit: int, rows: Iterable[_Planned]) -> Iterator[_Planned]:
    """Yield rows until their total bytes reach ``limit``. The row that reaches the limit is the last."""
    total = 0
    for row in rows:
        if total >= limit:
            return
        yield row
        total += row[1]


def _queued(raw: Any) -> bool:
    """Return whether psycopg2 has received notifications, and clear them."""
    held = getattr(raw, "notifies", None)
    if not isinstance(held, list) or not held:
        return False
    held.clear()
    return True


def make_shards(alias: str) -> None:
    """Insert missing rows of the table of shards. Claims lock these rows, but Django's ``flush`` deletes them."""
    shards = OutboxShard.objects.using(alias)
    missing = set(range(SHARDS)) - set(shards.values_list("shard", flat=True))
    if missing:
        shards.bulk_create([OutboxShard(shard=shard) for shard in sorted(missing)], ignore_conflicts=True)
