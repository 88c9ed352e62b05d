"""Which receivers are paused: read from the table every few seconds. Imported only where the app is installed."""

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
"""Seconds."""
_LOOK_FOR_TABLE_EVERY = 60.0
"""Seconds; services may be migrated while their workers run."""
_NONE: frozenset[str] = frozenset()


def is_migrated() -> bool:
    """Whether the table exists. Raises a database error where that cannot be found out."""
    return has_tables(connections[router.db_for_write(PausedReceiver)], PausedReceiver)


class Pauses:
    """Called, it returns the names of the paused receivers as they were read last; PausesUnknown: they never were."""

    def __init__(self) -> None:
        self._names: frozenset[str] | None = None
        self._problem = ""
        """Why they could not be read last."""
        self._has_table = False

    def __call__(self) -> frozenset[str]:
        if self._names is None:
            raise PausesUnknown(self._problem)
        return self._names

    def read(self) -> None:
        """
        Read the table, where it is there. While its database is away, what was read before holds.

        Raises what no database raises, such as a router, if nothing was read before.
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
                logger.warning("Paused receivers cannot be read, which is tried again: %s", problem)
            self._problem = problem
            return
        self._problem = ""
        if names != (self._names or _NONE):
            emit(PausesChanged(receivers=tuple(sorted(names))))
        self._names = names

    @property
    def read_every(self) -> float:
        """Seconds until they should be read again."""
        return _LOOK_FOR_TABLE_EVERY if self._names is not None and not self._has_table else READ_EVERY


def read_now() -> Pauses:
    """
    Return the pauses, read now. Raises what no database raises, such as a router.

    The thread that makes a worker needs no database afterwards: it must not keep a connection of a pool for ever.
    """
    pauses = Pauses()
    pauses.read()
    give_back()
    return pauses
