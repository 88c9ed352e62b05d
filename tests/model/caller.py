"""
A caller that runs a programme on real databases. It computes which rows must exist afterwards, according to the rules
of Django.

The append of an event may fail and break a transaction. If the caller gets no exception, the rows must nevertheless
exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from typing import Any

import attrs
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.errors import AppendFailed
from event_bus_kafka.models import OutboxRecord, WriterSchema
from tests.model.programmes import (
    ALIASES,
    Attempt,
    Block,
    Close,
    Emit,
    Fail,
    Failure,
    Hook,
    Step,
    Undo,
    Write,
)
from tests.support.databases import end_session

_REFUSED = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '55P03'; END $$",
    "mysql": "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1205",
    "sqlite": "SELECT abs(-9223372036854775808)",
}
_ROLLED_BACK = _REFUSED | {"mysql": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213"}
_numbers = count(1)


class Failed(Exception):
    """The exception that a failing step of the caller raises."""


class HookFailed(Exception):
    """The exception that a failing hook raises after the commit. The rows remain committed."""


class Guarded(Exception):
    """The exception that a guard against queries raises."""


@attrs.frozen
class Sent:
    """
    A sent event. For each alias with an open transaction, ``rows`` contains the first row of the innermost block, in
    the order of ``ALIASES``.
    """

    event_id: str
    mode: str
    rows: dict[str, str]

    @property
    def deciding(self) -> dict[str, str]:
        """
        The rows that decide about the event. The event must be sent if and only if all these rows are committed; if
        there are none, it must be sent.
        """
        if self.mode == "outbox":
            return dict(list(self.rows.items())[:1])
        return self.rows if self.mode == "on-commit" else {}


@attrs.define(eq=False)
class _Open:
    """A block of a transaction that the caller has entered and not left."""

    row: str
    has_savepoint: bool
    rows: list[str] = attrs.field(factory=list)
    is_dropped: bool = False
    """Whether the caller has done something after which Django rolls the block back without an exception."""


class Caller:
    """Runs programmes. The function ``send`` sends an event in a given mode, and returns the id of the event."""

    def __init__(self, send: Callable[[str], str]) -> None:
        self.kept: set[tuple[str, str]] = set()
        """Alias and name of each row that must exist after the programme."""
        self.dropped: set[tuple[str, str]] = set()
        """Alias and name of each row that must not exist after the programme."""
        self.sent: list[Sent] = []
        self.heard: list[Exception] = []
        """The exceptions that the caller got although no step of the programme raises them."""
        self._send = send
        self._open: dict[str, list[_Open]] = {alias: [] for alias in ALIASES}

    def run(self, programme: list[Step]) -> None:
        for step in programme:
            with suppress(Exception):
                self._do(step)
            for alias in ALIASES:
                connections[alias].close_if_unusable_or_obsolete()  # like Django between requests

    def _do(self, step: Step) -> None:
        match step:
            case Write():
                self._write(step)
            case Emit():
                self._emit(step)
            case Fail():
                raise Failed
            case Hook():
                transaction.on_commit(self._hook(step.step), using=step.alias, robust=step.robust)
            case Undo() if connections[step.alias].in_atomic_block:
                transaction.set_rollback(True, using=step.alias)
                self._open[step.alias][-1].is_dropped = True
            case Close():
                for block in self._open[step.alias]:
                    block.is_dropped = True
                connections[step.alias].close()
            case Attempt():
                with self._hearing(), suppress(Exception):
                    self._do_all(step.steps)
            case Block():
                self._run_block(step)

    def _do_all(self, steps: list[Step]) -> None:
        for step in steps:
            self._do(step)

    def _hook(self, step: Emit | Fail) -> Callable[[], None]:
        def hook() -> None:  # a function, because Django reads its name
            if isinstance(step, Fail):
                raise HookFailed
            self._emit(step)

        return hook

    def _write(self, step: Write) -> str:
        name = f"row-{next(_numbers)}"
        if step.by_model:
            ContentType.objects.using(step.alias).create(app_label=name, model="row")
        else:
            with connections[step.alias].cursor() as cursor:
                cursor.execute("INSERT INTO django_content_type (app_label, model) VALUES (%s, 'row')", [name])
        blocks = self._open[step.alias]
        if blocks:
            blocks[-1].rows.append(name)
        else:
            self.kept.add((step.alias, name))
        return name

    def _emit(self, step: Emit) -> None:
        rows = {alias: self._open[alias][-1].row for alias in ALIASES if connections[alias].in_atomic_block}
        with failing(step.failure, WriterSchema if step.of_schema else OutboxRecord):
            self.sent.append(Sent(self._send(step.mode), step.mode, rows))

    def _run_block(self, step: Block) -> None:
        block, is_through = None, False
        try:
            with self._hearing(), transaction.atomic(step.alias, step.savepoint, step.durable):
                block = self._enter(step.alias)
                block.row = self._write(Write(step.alias, by_model=False))
                self._do_all(step.steps)
                is_through = True
        except Exception as error:
            if block is not None:
                self._leave(step.alias, rolled_back=not (is_through and isinstance(error, HookFailed)))
            if not step.caught:
                raise
        else:
            self._leave(step.alias, rolled_back=False)

    def _enter(self, alias: str) -> _Open:
        savepoints = connections[alias].savepoint_ids
        block = _Open(row="", has_savepoint=bool(savepoints) and savepoints[-1] is not None)
        self._open[alias].append(block)
        return block

    def _leave(self, alias: str, *, rolled_back: bool) -> None:
        blocks = self._open[alias]
        block = blocks.pop()
        is_dropped = rolled_back or block.is_dropped
        if blocks and is_dropped and not block.has_savepoint:
            blocks[-1].is_dropped = True
        if blocks and not is_dropped:
            blocks[-1].rows += block.rows
        else:
            (self.dropped if is_dropped else self.kept).update((alias, row) for row in block.rows)

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        try:
            yield
        except (Failed, HookFailed):
            raise
        except Exception as error:
            self.heard.append(error)
            raise

    @property
    def heard_of_an_append(self) -> bool:
        return any(isinstance(error, AppendFailed) for error in self.heard)


@contextmanager
def failing(failure: Failure | None, model: Any) -> Iterator[None]:
    """While the block runs, make all writes to a model's table fail in all databases, unless ``failure`` is None."""
    with ExitStack() as wrapped:
        for alias in ALIASES:
            if failure is None:
                break
            fail = partial(_fail, connections[alias], failure, model._meta.db_table)
            wrapped.enter_context(connections[alias].execute_wrapper(fail))
        yield


def _fail(
    connection: BaseDatabaseWrapper,
    failure: Failure,
    table: str,
    execute: Any,
    sql: str,
    params: Any,
    many: bool,
    context: Any,
) -> Any:
    if f"INTO {connection.ops.quote_name(table)}" not in str(sql):
        return execute(sql, params, many, context)
    if failure is Failure.GUARDED:
        raise Guarded
    if failure is Failure.CLOSED and connection.vendor != "sqlite":
        end_session(connection)
        return execute(sql, params, many, context)
    if failure is Failure.ROLLED_BACK and connection.vendor != "postgresql":
        connection.connection.rollback()
        return execute(_ROLLED_BACK[connection.vendor], None, many, context)
    return execute(_REFUSED[connection.vendor], None, many, context)
