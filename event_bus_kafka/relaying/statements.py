"""
The SQL with which a relay finds, locks, reads and removes rows, by vendor.

Rows are removed only by their exact ids: by look-ups, or by a range in which every id is to be removed. If the server's
optimizer chose a scan, a DELETE would wait for the uncommitted rows of writers. A DELETE of a range with gaps would
also delete rows that committed after the relay had read the range.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import attrs

from event_bus_kafka.models import OutboxRecord, OutboxShard, ParkedRecord
from event_bus_kafka.models.outbox import TOPICS_INDEX
from event_bus_kafka.relaying.timing import IDLE_TRANSACTION_TIMEOUT

_OUTBOX = OutboxRecord._meta.db_table
_SHARDS = OutboxShard._meta.db_table
_PARKED = ParkedRecord._meta.db_table

COLUMNS = ("id", "topic", "key", "body", "headers", "schema_id")
_MOVED = tuple(field.attname for field in OutboxRecord._meta.concrete_fields)
_COPIED = tuple(name for name in _MOVED if name != "id")


@attrs.frozen(kw_only=True)
class Dialect:
    """The SQL statements for the databases of one vendor."""

    are_ids: Callable[[Sequence[int]], tuple[str, list[Any]]]
    """Returns a condition for reading the rows with these ids, and the parameters of the condition."""
    remove: str
    """The statement that deletes rows by look-ups of their ids. The ids are its only parameter."""
    ids: Callable[[Sequence[int]], str]
    """Converts ids to the parameter of ``remove``."""
    remove_range: str = f"DELETE FROM {_OUTBOX} WHERE id BETWEEN %s AND %s"
    """
    The statement that deletes a range of ids. Its parameters are the first and the last id. The range must contain no
    row that is to stay, and nobody else may lock the row after the range, because InnoDB may lock that row, too.

    If MySQL's or MariaDB's optimizer would choose a scan, the statement raises the error :data:`NO_SCAN`.
    """
    quote: str
    of_shard: str = "r.shard = {0}"
    """Condition for the rows of a shard, written so that the database uses only the index of shard and id."""
    of_topic: str = "r.topic = %s{0} ORDER BY r.id"
    """Condition for the rows of a topic, and ORDER BY that fits the index of topics, so that nothing is sorted."""
    forces_index: bool = False
    """Whether a statement can name the index to use."""
    locks: bool = True
    """Whether rows can be locked."""
    session: str = ""
    """The first statement on each connection of a relay; empty: there is none."""
    begin: str = ""
    """
    The first statement of each transaction; empty: there is none. It must not change settings beyond the transaction,
    because a connection pooler may let several clients use one session.
    """
    options: dict[str, Any] = attrs.field(factory=dict)
    """Options of each connection of a relay. Options in DATABASES take precedence."""

    @property
    def probe(self) -> str:
        """
        The statement that selects the shards with rows. It makes one look-up per shard, because a server may read all
        waiting rows for EXISTS or DISTINCT.
        """
        first = f"SELECT id FROM {_OUTBOX} r WHERE {self.of_shard.format('s.shard')} ORDER BY shard, id LIMIT 1"
        return f"SELECT shard FROM {_SHARDS} s WHERE ({first}) IS NOT NULL"

    def lock(self, shards: Sequence[int]) -> str:
        """
        Return a statement that locks the rows of ``shards`` in the table of shards. It uses the order of the index and
        no LIMIT, because InnoDB would otherwise lock further rows.
        """
        return f"SELECT shard FROM {_SHARDS} WHERE shard IN ({_list(shards)}) ORDER BY shard FOR UPDATE SKIP LOCKED"

    def plan(self, shards: Sequence[int], *, most: int, parked_holds_key: bool) -> str:
        """
        Return a statement that selects id, size and shard of the first ``most`` rows of each shard. It reads one range
        of the index per shard, because a range over several shards would be sorted as a whole. ``parked_holds_key``:
        whether to leave out rows whose key has an older parked row.
        """
        condition = self._unless_parked if parked_holds_key else ""
        parts = [
            f"SELECT * FROM (SELECT id, COALESCE(size, 0), shard FROM {_OUTBOX} r "
            f"WHERE {self.of_shard.format(shard)}{condition} "
            f"ORDER BY shard, id LIMIT {most}) s{shard}"
            for shard in shards
        ]
        return " UNION ALL ".join(parts)

    def next_topics(self, shards: Sequence[int], *, is_indexed: bool) -> str:
        """
        Return a statement that selects each shard's next topic in alphabetical order. Its parameters are the previous
        topics, one for each of ``shards``.

        The statement makes one look-up per shard. With DISTINCT, a server may read all waiting rows. InnoDB may also do
        this for a look-up inside a recursion.
        """
        return " UNION ALL ".join(
            f"SELECT * FROM (SELECT r.shard, r.topic FROM {_OUTBOX} r {self._by_topic(is_indexed)} "
            f"WHERE r.shard = {shard} AND r.topic > %s ORDER BY r.topic LIMIT 1) s{shard}"
            for shard in shards
        )

    def plan_by_topic(self, parts: Sequence[tuple[int, int]], *, is_indexed: bool, parked_holds_key: bool) -> str:
        """
        Return a statement that selects the first rows of each part: id, size, and the number of the part.

        ``parts``: shard and maximum number of rows of each part. The topics of the parts are the statement's
        parameters, as :meth:`names` returns them. ``parked_holds_key``: as for :meth:`plan`.
        """
        rows = f"FROM {_OUTBOX} r {self._by_topic(is_indexed)} WHERE"
        condition = self._unless_parked if parked_holds_key else ""
        return " UNION ALL ".join(
            f"SELECT * FROM (SELECT r.id, COALESCE(r.size, 0), {number} {rows} r.shard = {shard} "
            f"AND {self.of_topic.format(condition)} LIMIT {most}) p{number}"
            for number, (shard, most) in enumerate(parts)
        )

    def names(self, topics: Sequence[str]) -> list[str]:
        """Return the parameters of the statement from :meth:`plan_by_topic`. ``topics``: the topic of each part."""
        return [topic for topic in topics for _ in range(self.of_topic.count("%s"))]

    def fetch(self, ids: Sequence[int]) -> tuple[str, list[Any]]:
        """Return a statement that selects rows by their ids, in any order, and its parameters."""
        condition, parameters = self.are_ids(ids)
        index = "FORCE INDEX (PRIMARY)" if self.forces_index else ""
        return f"SELECT {self._columns(COLUMNS)} FROM {_OUTBOX} {index} WHERE {condition}", parameters

    def count(self, ids: Sequence[int]) -> tuple[str, list[Any]]:
        """Return a statement that counts the existing rows with these ids, and its parameters."""
        condition, parameters = self.are_ids(ids)
        return f"SELECT COUNT(*) FROM {_OUTBOX} WHERE {condition}", parameters

    @property
    def park(self) -> str:
        """
        The statement that inserts a parked row. Its parameters are the new id, code, reason and time of the parked row,
        and the id of the row in the outbox.
        """
        copied = self._columns(_COPIED)
        return (
            f"INSERT INTO {_PARKED} (id, code, reason, parked_at, {copied}) "
            f"SELECT %s, %s, %s, %s, {copied} FROM {_OUTBOX} WHERE id = %s"
        )

    def parked_of(self, ids: Sequence[int]) -> str:
        """Return a statement that selects the ids of parked rows among ``ids``."""
        return f"SELECT id FROM {_PARKED} WHERE id IN ({_list(ids)})"

    @property
    def lowest_parked(self) -> str:
        return f"SELECT MIN(id) FROM {_PARKED}"

    @property
    def put_back(self) -> str:
        """The statement that copies a parked row into the outbox. The only parameter is the row's id."""
        moved = self._columns(_MOVED)
        return f"INSERT INTO {_OUTBOX} ({moved}) SELECT {moved} FROM {_PARKED} WHERE id = %s"

    @property
    def forget_parked(self) -> str:
        """The statement that deletes a parked row. The only parameter is the row's id."""
        return f"DELETE FROM {_PARKED} WHERE id = %s"

    @property
    def _unless_parked(self) -> str:
        key = f"{self.quote}key{self.quote}"
        return (
            f" AND NOT EXISTS (SELECT 1 FROM {_PARKED} p"
            f" WHERE p.shard = r.shard AND p.topic = r.topic AND p.{key} = r.{key} AND p.id < r.id)"
        )

    def _by_topic(self, is_indexed: bool) -> str:
        return f"FORCE INDEX ({TOPICS_INDEX})" if is_indexed and self.forces_index else ""

    def _columns(self, names: Sequence[str]) -> str:
        return ", ".join(f"{self.quote}{name}{self.quote}" for name in names)


LONG_RUN = 100
"""Number of consecutive ids from which on rows are read and deleted by a range."""
_LOCK_WAIT = 5
NO_SCAN = 1175
"""The error number with which MySQL and MariaDB refuse a DELETE that would scan the table."""
_BY_INDEX = "; ".join(
    f"SET LOCAL {what} = off" for what in ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit")
)
"""
Statements that make PostgreSQL use the index. The statistics of a table that fills and empties are always out of date,
and would make PostgreSQL scan and sort all waiting rows for every chunk.

PostgreSQL gives a high cost to plans that are switched off, and would spend seconds on compiling a statement with this
cost. Therefore ``jit`` is off, too.
"""


def _array(ids: Sequence[int]) -> str:
    return f"{{{_list(ids)}}}"  # psycopg takes ten times as long for a list


def runs_of(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last id of each run of consecutive ids."""
    ordered = sorted(ids)
    gaps = [(last, first) for last, first in pairwise(ordered) if first - last > 1]
    firsts = [*ordered[:1], *(first for _, first in gaps)]
    lasts = [*(last for last, _ in gaps), *ordered[-1:]]
    return list(zip(firsts, lasts, strict=True))


def _are_ids_on_postgresql(ids: Sequence[int]) -> tuple[str, list[Any]]:
    if len(runs := runs_of(ids)) == 1:
        return "id BETWEEN %s AND %s", [*runs[0]]
    return "id = ANY(%s::bigint[])", [_array(ids)]


def _are_ids_on_mysql(ids: Sequence[int]) -> tuple[str, list[Any]]:
    long = [run for run in runs_of(ids) if run[1] - run[0] >= LONG_RUN]
    others = set(ids).difference(*(range(first, last + 1) for first, last in long))
    ranges = [f"id BETWEEN {first} AND {last}" for first, last in long]
    return " OR ".join([*ranges, f"id IN ({_list(sorted(others))})"] if others else ranges), []


DIALECTS = {
    "postgresql": Dialect(
        are_ids=_are_ids_on_postgresql,
        remove=f"DELETE FROM {_OUTBOX} WHERE id = ANY(%s::bigint[])",
        ids=_array,
        quote='"',
        of_shard="r.shard BETWEEN {0} AND {0}",  # with = the server may use the primary key, and read all rows
        of_topic="r.topic BETWEEN %s AND %s{0} ORDER BY r.topic, r.id",  # likewise
        begin=f"SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '{_LOCK_WAIT}s'; "
        f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_TIMEOUT}s'; " + _BY_INDEX,
        options={"connect_timeout": 10, "tcp_user_timeout": 30_000},
    ),
    "mysql": Dialect(
        are_ids=_are_ids_on_mysql,
        remove=f"DELETE r FROM JSON_TABLE(%s, '$[*]' COLUMNS (id BIGINT PATH '$')) j "
        f"STRAIGHT_JOIN {_OUTBOX} AS r ON r.id = j.id",
        ids=json.dumps,
        remove_range="/*M! SET STATEMENT sql_safe_updates = 1 FOR */ "  # MariaDB
        f"DELETE /*+ SET_VAR(sql_safe_updates = 1) */ FROM {_OUTBOX} WHERE id BETWEEN %s AND %s",  # MySQL
        quote="`",
        forces_index=True,
        session=f"SET SESSION innodb_lock_wait_timeout = {_LOCK_WAIT}, wait_timeout = {IDLE_TRANSACTION_TIMEOUT}",
        options={"connect_timeout": 10, "read_timeout": 30, "write_timeout": 30},
    ),
    "sqlite": Dialect(
        are_ids=lambda ids: ("id IN (SELECT value FROM json_each(%s))", [json.dumps(ids)]),
        remove=f"DELETE FROM {_OUTBOX} WHERE id IN (SELECT value FROM json_each(%s))",
        ids=json.dumps,
        quote='"',
        locks=False,
    ),
}


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
