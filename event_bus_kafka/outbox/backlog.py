"""
Counts the waiting and parked rows of an outbox, warns if the oldest row has waited for too long, and deletes old parked
rows. Imported only if the app is installed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic, time
from typing import Any

import attrs
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from event_bus_kafka.interruptions import let_through
from event_bus_kafka.models import OutboxRecord, OutboxShard, ParkedRecord, WriterSchema
from event_bus_kafka.models.batches import delete_in_batches
from event_bus_kafka.models.presence import has_tables
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import OutboxStalled, ParkedRowsPurged

logger = logger_named(__name__)

TABLES = (OutboxRecord, OutboxShard, ParkedRecord, WriterSchema)
STALLED_AFTER = 300.0
"""
Age of the oldest row, in seconds, above which the outbox counts as stalled: probably no relay runs, or no relay can
send.
"""
MOST_WAITING = 100_000
"""Maximum number of rows that are counted for :class:`BriefBacklog`."""
_ROWS = OutboxRecord._meta.db_table
_DEPTH = f"SELECT topic, COUNT(*) FROM (SELECT topic FROM {_ROWS} LIMIT {MOST_WAITING}) r GROUP BY topic"
"""
Query for the number of rows by topic, among at most ``MOST_WAITING`` rows. The query has no order, so the index of
topics is enough. To order the rows by id, InnoDB would read their bodies.
"""
_OLDEST = f"SELECT created FROM {_ROWS} ORDER BY id LIMIT 1"
_PARKED = f"SELECT COUNT(*) FROM (SELECT id FROM {ParkedRecord._meta.db_table} LIMIT {MOST_WAITING}) p"
_LOOK_EVERY = 60.0
_next_look: dict[str, float] = {}


@attrs.frozen(kw_only=True)
class Backlog:
    """The state of an outbox. All rows are counted, which takes a second for a million rows."""

    depth: int
    oldest: float
    """Age of the oldest row in seconds; 0: there is no row."""
    parked: dict[str, int]
    """Code of an error → number of rows that were parked because of the error."""

    @property
    def is_stalled(self) -> bool:
        return self.oldest > STALLED_AFTER

    @classmethod
    def of(cls, alias: str) -> Backlog:
        """Query the state of the outbox. Raises a database error."""
        return cls(
            depth=OutboxRecord.objects.using(alias).count(),
            oldest=oldest_age(alias),
            parked=ParkedRecord.objects.using(alias).by_code(),
        )


@attrs.frozen(kw_only=True)
class BriefBacklog:
    """The state of an outbox. At most 100,000 rows are counted, so that the query is quick even if more rows wait."""

    depth: dict[str, int]
    """Topic → number of its rows among the first 100,000 rows that the database finds."""
    oldest_age: float | None
    """Age in seconds of the row with the lowest id; None: there is no row."""
    parked: int
    """Number of parked rows, at most 100,000."""

    @classmethod
    def read(cls, connection: BaseDatabaseWrapper) -> BriefBacklog:
        """Query the state with three statements. Raises a database error."""
        with connection.cursor() as cursor:
            cursor.execute(_DEPTH)
            depth = dict(cursor.fetchall())
            cursor.execute(_OLDEST)
            oldest = cursor.fetchone()
            cursor.execute(_PARKED)
            (parked,) = cursor.fetchone()
        age = None if oldest is None else max(time() - oldest[0] / 1000, 0.0)
        return cls(depth=depth, oldest_age=age, parked=parked)


def oldest_age(alias: str) -> float:
    """Return the age in seconds of the row with the lowest id; 0 if there is no row."""
    created = OutboxRecord.objects.using(alias).order_by("pk").values_list("created", flat=True).first()
    return max(time() - created / 1000, 0.0) if created is not None else 0.0


def is_due(alias: str) -> bool:
    """Return whether this process has to check the outbox now, because it has made no check in the last minute."""
    return monotonic() >= _next_look.get(alias, 0.0)


def watch(alias: str) -> None:
    """
    Emit OutboxStalled if the outbox is stalled. An error of the database is only logged. Sending processes call this
    function, because a relay that does not run cannot warn.
    """
    _next_look[alias] = monotonic() + _LOOK_EVERY
    try:
        warn_if_stalled(alias, oldest_age(alias))
    except Exception as error:  # noqa: BLE001 databases, pools and guards raise any error; the event is stored
        let_through(error)
        logger.warning("How long events wait in the outbox of database %s is not known: %s", alias, error_text(error))


def warn_if_stalled(alias: str, oldest: float) -> None:
    """Emit OutboxStalled if the age of the oldest row, ``oldest``, is more than ``STALLED_AFTER`` seconds."""
    if oldest > STALLED_AFTER:
        emit(OutboxStalled(database=alias, oldest=oldest))


def is_migrated(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the outbox's tables exist. Raises a database error if the database does not answer."""
    return has_tables(connection, *TABLES)


def purge(alias: str, days: float) -> int:
    """Delete rows that were parked more than ``days`` days ago; return their number, and emit ParkedRowsPurged."""
    parked: Any = ParkedRecord.objects.using(alias)
    expired = parked.expired(_before(days)).order_by("pk")
    count = sum(delete_in_batches(expired, lambda ids: parked.matching(ids=ids).discard()))
    emit(ParkedRowsPurged(count=count))
    return count


def expired(alias: str, days: float) -> int:
    """Return the number of rows that :func:`purge` would delete."""
    return int(ParkedRecord.objects.using(alias).expired(_before(days)).count())


def _before(days: float) -> int:
    return int((datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000)


def close(alias: str) -> None:
    """Close this thread's connection to the database."""
    connections[alias].close()
