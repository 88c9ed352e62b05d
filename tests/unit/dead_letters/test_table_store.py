"""Dead letters in the table: a failure that comes again is the same row, brought up to date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from event_bus_kafka.dead_letters.retention import purge
from event_bus_kafka.dead_letters.table_store import TableStore
from event_bus_kafka.models import DeadLetter
from tests.unit.dead_letters.test_letter import letter, record

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_that_fails_again_is_brought_up_to_date_and_kept_from_then_on() -> None:
    store, now = TableStore(), datetime.now(UTC)
    first = attrs.evolve(letter(record()), failed_at=now - timedelta(days=100))
    store.store(first)
    store.store(attrs.evolve(first, failed_at=now, attempts=7))
    (row,) = DeadLetter.objects.all()
    assert (row.attempts, row.first_failed_at, row.last_failed_at) == (7, first.failed_at, now)
    assert purge(90) == 0
    assert purge(-1) == 1
