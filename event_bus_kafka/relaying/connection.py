"""A connection to a database that only a relay uses, in addition to Django's connection."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from time import monotonic
from typing import Any

from django.db import Error, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.relaying.statements import LONG_RUN, NO_SCAN, Dialect, runs_of

_RESTED = 30.0
"""
Seconds without use after which the connection is replaced before the next transaction, because the server may have
closed the connection.
"""
_CLOSED = getattr(select, "POLLRDHUP", 0)  # only on Linux


class OwnConnection:
    """
    A separate connection to the database of ``shared``, at READ COMMITTED, usable from any thread.

    The first use opens the connection. Each time the connection is opened, ``prepare`` is called with it. ``prepare``
    may run statements.
    """

    def __init__(
        self,
        shared: BaseDatabaseWrapper,
        dialect: Dialect,
        prepare: Callable[[BaseDatabaseWrapper], None] = lambda _: None,
    ) -> None:
        self._shared = shared
        self._dialect = dialect
        self._prepare = prepare
        self._connection: BaseDatabaseWrapper | None = None
        self._socket: int | None = None
        """
        Descriptor of the connection's socket. It is stored here because mysqlclient does not return it while another
        thread waits for an answer.
        """
        self._used = monotonic()
        self._lock = Lock()
        """
        Lock that allows one statement at a time, because one thread may read rows while another thread reads a schema.
        """

    @property
    def raw(self) -> Any:
        """The driver's connection object."""
        return self._connect().connection

    @property
    def is_cut(self) -> bool:
        """
        Whether the server has closed the connection, according to its socket.

        Also False if no connection is open, if the driver does not show the socket, or if the network silently drops
        all packets.
        """
        if self._connection is None or self._socket is None:
            return False
        poll = select.poll()
        poll.register(self._socket, _CLOSED)
        return bool(poll.poll(0))

    def query(
        self, statement: str, parameters: Sequence[Any] = (), *, binary: bool = False
    ) -> Sequence[tuple[Any, ...]]:
        """
        Return the rows of a statement. ``binary``: whether PostgreSQL sends bytes unescaped, which suits large results.
        Raises a database error.
        """
        with self._cursor(binary=binary) as cursor:
            cursor.execute(statement, parameters)
            rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def has_index(self, table: str, name: str) -> bool:
        """Return whether a table has an index. Raises a database error."""
        with self._cursor() as cursor:
            return name in self._connect().introspection.get_constraints(cursor, table)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; return the number of rows that it changed. Raises a database error."""
        with self._cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return int(cursor.rowcount)

    def remove(self, ids: Sequence[int]) -> int:
        """
        Delete rows of the outbox; return their number. Raises a database error.

        The rows of a long run of consecutive ids are deleted as one range, which takes half the time of look-ups. Only
        the run's last row is deleted by a look-up, because InnoDB may lock the row after a range. If the database
        refuses the range, look-ups delete the whole run.
        """
        removed, others = 0, list[int]()
        for first, last in runs_of(ids):
            if last - first >= LONG_RUN:
                try:
                    removed += self.execute(self._dialect.remove_range, [first, last - 1])
                    first = last
                except OperationalError as error:
                    if error.args[0] != NO_SCAN:
                        raise
            others += range(first, last + 1)
        return removed + self.execute(self._dialect.remove, [self._dialect.ids(others)])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the ``with`` block. After an error, roll back and close the connection."""
        if monotonic() - self._used > _RESTED:
            self.close()
        connection = self._connect()
        try:
            connection.set_autocommit(False)
            if self._dialect.begin:
                self.execute(self._dialect.begin)
            yield
            connection.commit()
            connection.set_autocommit(True)
        except BaseException:
            self.close()  # rolls back, too
            raise

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Error):
                connection.close()

    @contextmanager
    def _cursor(self, *, binary: bool = False) -> Iterator[Any]:
        with self._lock:
            connection = self._connect()
            with _binary_cursor(connection) if binary else connection.cursor() as cursor:
                yield cursor
            connection.queries_log.clear()  # filled under DEBUG, with event data
            self._used = monotonic()

    def _connect(self) -> BaseDatabaseWrapper:
        if self._connection is None:
            connection = self._shared.copy()
            options = connection.settings_dict["OPTIONS"]
            options.pop("pool", None)
            for name, value in self._dialect.options.items():
                options.setdefault(name, value)
            options.pop("isolation_level", None)  # READ COMMITTED is Django's default on MySQL, and PostgreSQL's own
            connection.settings_dict["AUTOCOMMIT"] = True
            connection.inc_thread_sharing()
            try:
                connection.ensure_connection()
                if self._dialect.session:
                    with connection.cursor() as cursor:
                        cursor.execute(self._dialect.session)
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._socket = connection, _socket_of(connection.connection)
            self._used = monotonic()
        return self._connection


def _socket_of(raw: Any) -> int | None:
    """Return the socket of a driver's connection; None if there is no socket or the driver does not show it."""
    own = raw if hasattr(raw, "fileno") else getattr(raw, "_sock", None)  # PyMySQL
    return int(own.fileno()) if own is not None else None


@contextmanager
def _binary_cursor(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """
    Yield a binary cursor of psycopg 3, because Django's own cursor has no binary format. If the driver is not psycopg
    3, yield Django's cursor.
    """
    if not hasattr(connection.connection, "adapters"):
        with connection.cursor() as cursor:
            yield cursor
        return
    from psycopg import Cursor, pq  # may be missing

    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.format = pq.Format.BINARY
        yield cursor
