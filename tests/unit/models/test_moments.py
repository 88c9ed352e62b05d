"""Times are stored unchanged, whatever the settings USE_TZ and TIME_ZONE are (case C7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import override_settings

from event_bus_kafka.dead_letters import retention
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dead_letters.table_store import TableStore
from event_bus_kafka.models import DeadLetter, InboxMark, PausedReceiver
from tests.support.received import record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[(True, "UTC"), (False, "America/New_York"), (False, "UTC"), (True, "Asia/Kolkata")])
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    use_tz, name = request.param
    with override_settings(USE_TZ=use_tz, TIME_ZONE=name):
        yield


@pytest.mark.usefixtures("zone")
def test_c7_a_stored_time_is_read_unchanged_in_utc() -> None:
    moment = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)
    PausedReceiver.objects.pause("a.b", at=moment)
    found = PausedReceiver.objects.get().paused_at
    assert (found, found.tzinfo) == (moment, UTC)
    assert PausedReceiver.objects.filter(paused_at__lt=moment + timedelta(seconds=1)).exists()
    assert not PausedReceiver.objects.filter(paused_at__lt=moment).exists()


@pytest.mark.usefixtures("zone")
def test_c7_old_dead_letters_are_purged_and_old_inbox_marks_count_as_expired() -> None:
    """
    Formerly, with ``USE_TZ = False``, SQLite and MySQL refused the timezone-aware times of the package. No dead letter
    could be stored there, and ``once()`` failed.
    """
    TableStore().store(Letter.of(record(b""), group="g", error=ValueError(), attempts=1))
    InboxMark.objects.mark("a.b", uuid4())
    assert retention.purge(0.01) == 0
    letter = DeadLetter.objects.get()
    assert abs(datetime.now(UTC) - letter.last_failed_at) < timedelta(hours=1)
    letter.last_failed_at -= timedelta(minutes=30)
    letter.save()
    InboxMark.objects.update(marked_at=datetime.now(UTC) - timedelta(minutes=30))
    assert retention.purge(0.01) == 1
    assert InboxMark.objects.expired(datetime.now(UTC) - timedelta(minutes=20)).count() == 1
