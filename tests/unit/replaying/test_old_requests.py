"""
A replay request is deleted 90 days after it ended. A waiting or paused request is deleted 90 days after a worker last
had it. If no worker has had the request, the 90 days begin when it was made.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from event_bus_kafka.dead_letters.retention import purge_requests
from event_bus_kafka.models import ReplayRequest, RequestedRun
from event_bus_kafka.models.database_time import database_now
from tests.support.requested_runs import topic_request

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86_400_000


def test_a_replay_request_that_ended_long_ago_is_deleted_with_its_run() -> None:
    number, kept = topic_request("t", 0, 9), topic_request("t", 0, 9)
    ReplayRequest.objects.filter(pk=number).update(state="done", ended_at=1)
    assert purge_requests(90) == 2
    assert RequestedRun.objects.get().request_id == kept


def test_a_request_that_began_long_ago_is_kept_if_its_worker_has_just_handed_it_back() -> None:
    """When a new version of a service is deployed, all workers stop. The first new worker deletes old requests."""
    number, by, rows = topic_request("t", 0, 9), uuid4(), ReplayRequest.objects
    rows.update(requested_at=1)
    assert rows.take(number, by=by, worker="host:1")
    rows.update(began_at=1)
    rows.let_go(number, by=by)
    assert purge_requests(90) == 0
    assert rows.get().state == "requested"


@pytest.mark.parametrize("state", ["requested", "paused"])
def test_a_waiting_or_paused_request_is_deleted_90_days_after_a_worker_last_had_it(state: str) -> None:
    topic_request("t", 0, 9)
    rows, now = ReplayRequest.objects, database_now("default")
    rows.update(state=state, requested_at=1, began_at=1, beat_at=now - 89 * DAY)
    assert purge_requests(90) == 0
    rows.update(beat_at=now - 91 * DAY)
    assert purge_requests(90) == 2
