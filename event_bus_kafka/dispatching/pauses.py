"""Reads the names of paused receivers from the database every few seconds. Imported only if the app is installed."""

from __future__ import annotations

from django.db import Error, connections, router

from event_bus_kafka.dispatching.cleanup import give_back
from event_bus_kafka.errors import PausesUnknown
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.telemetry.events import PausesChanged

logger = logger_named(__name__)

READ_EVERY = 5.0
"""Seconds between two reads of the paused receivers."""
_LOOK_FOR_TABLE_EVERY = 60.0
"""
Seconds between two checks whether the table exists. The check is repeated because services may be migrated while their
workers run.
"""
_NONE: frozenset[str] = frozenset()


def is_migrated() -> bool:
    """Return whether the table of paused receivers exists. Raises a database error if the database does not answer."""
    return has_tables(connections[router.db_for_write(PausedReceiver)], PausedReceiver)


class Pauses:
    """
    Returns, when called, the names of paused receivers that the last successful read found. Raises
    :class:`PausesUnknown` if no read has succeeded yet.
    """

    def __init__(self) -> None:
        self._names: frozenset[str] | None = None
        self._problem = ""
        """The reason why the last read failed; empty: the last read succeeded."""
        self._has_table = False

    def __call__(self) -> frozenset[str]:
        if self._names is None:
            raise PausesUnknown(self._problem)
        return self._names

    def read(self) -> None:
        """
        Read the table, if it exists. While the database is away, the last result stays valid.

        Errors that are not database errors, such as a router's, are raised only before the first successful read.
        """
        try:
            self._has_table = self._has_table or is_migrated()
            names = (
                PausedReceiver.objects.using(router.db_for_write(PausedReceiver)).names() if self._has_table else _NONE
            )
        except Exception as error:
            if self._names is None and not isinstance(error, Error):
                raise
            problem = database_error_text(error)
            if problem != self._problem:
                logger.warning(
                    "The list of paused receivers cannot be read: %s. Next attempt in a few seconds.", problem
                )
            self._problem = problem
            return
        self._problem = ""
        if names != (self._names or _NONE):
            emit(PausesChanged(receivers=tuple(sorted(names))))
        self._names = names

    @property
    def read_every(self) -> float:
        """Seconds until the next read."""
        return _LOOK_FOR_TABLE_EVERY if self._names is not None and not self._has_table else READ_EVERY


def read_now() -> Pauses:
    """
    Read the pauses and return them. Raises only errors that are not database errors, such as a router's.

    Also give the calling thread's pooled connection back. This thread starts a worker, and would keep the connection as
    long as the worker lives.
    """
    pauses = Pauses()
    pauses.read()
    give_back()
    return pauses
