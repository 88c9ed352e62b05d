"""The relay's own connection: which shards have rows, the right to send them, and their end."""

from __future__ import annotations

import select
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from operator import itemgetter
from threading import Lock
from time import time
from typing import Any, NamedTuple

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.errors import BrokerError, ConfigurationError
from event_bus_kafka.models import SHARDS, OutboxShard, WriterSchema
from event_bus_kafka.producing.dialects import DIALECTS
from event_bus_kafka.producing.outbox import CHANNEL
from event_bus_kafka.producing.portions import portions
from event_bus_kafka.producing.schemas import destination_of
from event_bus_kafka.wire.headers import unpack
from event_bus_kafka.wire.records import Destination

_LONGEST_REASON = 255
_BATCH_ROWS = 16_000
_BATCH_BYTES = 32_000_000
_CHUNK_ROWS = 1_000
_CHUNK_BYTES = 2_000_000


class Row(NamedTuple):
    """A row of the outbox."""

    id: int
    topic: str
    key: bytes
    body: bytes | None
    headers: bytes
    """Packed as long as possible: thousands of rows are in memory, and the collector would look at each header."""
    schema: int

    @property
    def event_id(self) -> str:
        """As the headers have it, empty without one."""
        return (dict(unpack(self.headers)).get("ce_id") or b"").decode(errors="replace")


class Plan(NamedTuple):
    """What a batch is to take."""

    chunks: list[list[int]]
    """Ids in order; the rows of a chunk are in memory together."""
    is_full: bool
    """Whether there may be more."""


class Claims:
    """
    Claims shards for one batch after the other: the locks of their rows, held as long as the batch is in flight, are
    both lease and fence. A relay that dies releases them at once.

    The connection is its own, at READ COMMITTED: an older snapshot would show rows that are sent already. Where rows
    cannot be locked (SQLite), every claim succeeds, and writers wait for short removals only.
    """

    def __init__(self, alias: str, *, notify: bool, parked_holds_key: bool) -> None:
        self._alias = alias
        self._parked_holds_key = parked_holds_key
        shared = connections[alias]
        if shared.vendor not in DIALECTS:
            raise ConfigurationError(f"The outbox does not run on {shared.vendor}: use PostgreSQL, MySQL or MariaDB.")
        self._dialect = DIALECTS[shared.vendor]
        self._listens = notify and shared.vendor == "postgresql"
        self._connection: BaseDatabaseWrapper | None = None
        self._destinations: dict[int, Destination] = {}
        self._told = False
        self._lock = Lock()
        """Of the connection: one thread reads rows while another asks for the schema of those before."""

    def shards_with_rows(self) -> list[int]:
        """Return the shards that hold rows, committed ones. Raises a database error."""
        return [shard for (shard,) in self._query(self._dialect.probe)]

    @contextmanager
    def claim(self, shards: Sequence[int]) -> Iterator[list[int]]:
        """
        Claim those of the shards that no other relay has, until the end of the block, which commits.

        Raises a database error: nothing that was done inside holds.
        """
        if not self._dialect.locks:
            yield list(shards)
            return
        with self._transaction():
            yield [shard for (shard,) in self._query(self._dialect.lock(shards))]

    def plan(self, shards: Sequence[int], without: Sequence[str]) -> Plan:
        """
        Look once at what these shards hold, but for rows of topics, and return what a batch is to take of it. What
        commits later waits for the next one: it may have to follow a row that commits in between.
        """
        most = _BATCH_ROWS // len(shards)
        statement = self._dialect.plan(
            shards, most=most, without_topics=len(without), parked_holds_key=self._parked_holds_key
        )
        found = sorted(self._query(statement, [*without] * len(shards)))
        taken = list(_within(_BATCH_BYTES, found))
        chunks = portions(taken, itemgetter(1), most=_CHUNK_ROWS, most_bytes=_CHUNK_BYTES)
        return Plan(
            [[number for number, _, _ in chunk] for chunk in chunks],
            is_full=len(taken) < len(found) or most in Counter(shard for _, _, shard in found).values(),
        )

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """Return rows in the order of ids."""
        found = sorted(self._query(*self._dialect.fetch(ids)), key=itemgetter(0))
        if found and isinstance(found[0][-2], memoryview):  # of psycopg2
            found = [tuple([bytes(one) if isinstance(one, memoryview) else one for one in row]) for row in found]
        return list(map(Row._make, found))

    def destination(self, schema: int) -> Destination | None:
        """Return what a row's schema stands for; None if its row is gone."""
        if schema not in self._destinations:
            names = [field.attname for field in WriterSchema._meta.concrete_fields]
            statement = f"SELECT {', '.join(names)} FROM {WriterSchema._meta.db_table} WHERE id = %s"
            for row in self._query(statement, [schema]):
                self._destinations[schema] = destination_of(dict(zip(names, row, strict=True)))
        return self._destinations.get(schema)

    def remove(self, ids: Sequence[int]) -> None:
        """Remove rows that Kafka has confirmed."""
        if ids:
            with self._settling() as cursor:
                cursor.execute(self._dialect.remove, [self._dialect.ids(ids)])

    def park(self, rejected: Sequence[tuple[Row, BrokerError]]) -> None:
        """Set aside rows that Kafka refuses."""
        now = int(time() * 1000)
        if rejected:
            with self._settling() as cursor:
                for row, error in rejected:
                    cursor.execute(self._dialect.park, [error.code, error.reason[:_LONGEST_REASON], now, row.id])
                cursor.execute(self._dialect.remove, [self._dialect.ids([row.id for row, _ in rejected])])

    def wait(self, seconds: float, longest: float) -> float:
        """Return how long to wait: so many seconds, or, where new rows are told of, until then and not too long."""
        if not self._listens:
            return seconds
        raw: Any = self._connect().connection
        if not self._told and not _queued(raw):  # by the answer to the last query, which may not have seen the rows
            try:
                select.select([raw.fileno()], [], [], longest)
            except (OSError, ValueError):  # closed, or more files are open than it can wait for
                return seconds
        self._told = False
        return 0.0

    def close(self) -> None:
        """Give up the connection and whatever is open on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Error):
                connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = self._connect()
        try:
            connection.set_autocommit(False)
            if self._dialect.begin:
                self._execute(self._dialect.begin)
            yield
            connection.commit()
            connection.set_autocommit(True)
        except BaseException:
            self.close()  # which rolls back
            raise

    @contextmanager
    def _settling(self) -> Iterator[Any]:
        """In the transaction of the claim, or where there is none, in one of its own."""
        with self._lock, nullcontext() if self._dialect.locks else self._transaction():
            connection = self._connect()
            with connection.cursor() as cursor:
                yield cursor
            connection.queries_log.clear()

    def _execute(self, statement: str) -> None:
        with self._connect().cursor() as cursor:
            cursor.execute(statement)

    def _listen(self, raw: Any) -> None:
        if hasattr(raw, "add_notify_handler"):  # psycopg 3
            raw.add_notify_handler(self._note)
        self._execute(f"LISTEN {CHANNEL}")

    def _note(self, _: Any) -> None:
        self._told = True

    def _query(self, statement: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        with self._lock:
            connection = self._connect()
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
            connection.queries_log.clear()  # filled under DEBUG, with event data
        return rows

    def _connect(self) -> BaseDatabaseWrapper:
        if self._connection is None:
            connection = connections[self._alias].copy()
            options = connection.settings_dict["OPTIONS"]
            options.pop("pool", None)
            for name, value in self._dialect.options.items():
                options.setdefault(name, value)
            options.pop("isolation_level", None)  # READ COMMITTED is Django's default on MySQL, and PostgreSQL's own
            connection.settings_dict["AUTOCOMMIT"] = True
            connection.inc_thread_sharing()
            self._connection = connection
            if self._dialect.session:
                self._execute(self._dialect.session)
            if self._listens:
                self._listen(connection.connection)
        return self._connection


_Place = tuple[int, int, int]
"""Id, bytes and shard of a row."""


def _within(limit: int, places: Iterable[_Place]) -> Iterator[_Place]:
    """Return the first ones, until so many bytes are reached."""
    total = 0
    for place in places:
        if total >= limit:
            return
        yield place
        total += place[1]


def _queued(raw: Any) -> bool:
    """Whether psycopg2 holds notifications; takes them."""
    held = getattr(raw, "notifies", None)
    if not isinstance(held, list) or not held:
        return False
    held.clear()
    return True


def make_shards(alias: str) -> None:
    """See to it that there is a row for each shard: a flushed database lacks them, and nobody could claim any."""
    shards = OutboxShard.objects.using(alias)
    missing = set(range(SHARDS)) - set(shards.values_list("shard", flat=True))
    if missing:
        shards.bulk_create([OutboxShard(shard=shard) for shard in sorted(missing)], ignore_conflicts=True)
