"""Dead letters in the database. Imported only where the app is installed."""

from __future__ import annotations

import attrs
from django.db import Error, connections, router

from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.errors import DeadLetterStoreFailed
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.models.presence import has_tables


class TableStore:
    """Stores in the table of this service, in a transaction of its own."""

    def store(self, letter: Letter) -> None:
        try:
            store(letter)
        except Error as error:
            raise DeadLetterStoreFailed(f"table {DeadLetter._meta.db_table}: {type(error).__name__}") from error


def store(letter: Letter) -> DeadLetter:
    """Keep a dead letter. Raises a database error."""
    return DeadLetter.objects.store(
        letter.record,
        group=letter.group,
        event_id=letter.event_id,
        event_type=letter.event_type,
        failures=[attrs.asdict(failure) for failure in letter.failures],
        attempts=letter.attempts,
        failed_at=letter.failed_at,
    )


def is_migrated() -> bool:
    """Whether the table exists. Raises a database error where that cannot be found out."""
    return has_tables(connections[router.db_for_write(DeadLetter)], DeadLetter)
