"""
A fatal error ends a Kafka client. Then the worker makes a new client or ends, depending on the kind of error and on
whether the ended clients have read records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import DONE
from event_bus_kafka.errors import BrokerError, WorkerFailed
from event_bus_kafka.kafka.consumer import AssignmentListener
from event_bus_kafka.telemetry.events import PartitionsRevoked
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.watching import watched
from tests.unit.consuming.clients import Client
from tests.unit.consuming.scheduling import record


class Failing:
    """A Kafka client whose polls raise a fatal error. ``made`` counts the clients that a consumer has made."""

    def __init__(self, kind: Trouble) -> None:
        self.kind = kind
        self.made = 0

    def __call__(self, _listener: AssignmentListener) -> Any:
        self.made += 1
        return self

    def poll(self, _seconds: float, _most: int) -> list[ConsumerRecord]:
        raise BrokerError("_FATAL", "reason", fatal=True, kind=self.kind)

    def close(self) -> None: ...


class Recovering(Client):
    """A Kafka client that reads one record and raises a fatal error at a later poll."""

    made = 0

    def __call__(self, listener: AssignmentListener) -> Any:
        self.made += 1
        self._records = [record(self.made)]
        super().__call__(listener)
        self.assign(("t", 0))
        return self

    def poll(self, _seconds: float, _most: int) -> list[ConsumerRecord]:
        if self.positions.waiting:
            return []
        if not self._records:
            raise BrokerError("_FATAL", "reason", fatal=True, kind=Trouble.OTHER)
        return [self._records.pop()]


def consumer(clients: Callable[[AssignmentListener], Any]) -> Consumer:
    return Consumer(
        group="g",
        connect=clients,
        scheduler=Scheduler(lambda _: DONE, lanes=1),
        error_limit=ErrorLimit(),
        limits=Limits(
            window_records=10,
            window_bytes=10_000,
            commit_interval=60.0,
            poll_timeout=1.0,
            failure_sleep=0.0,
            revoke_timeout=0.0,
        ),
        health=Health(),
        pause=lambda _: None,
    )


def test_a_worker_without_the_right_to_read_makes_new_clients_without_end() -> None:
    clients = Failing(Trouble.FORBIDDEN)
    one = consumer(clients)
    with watched(PartitionsRevoked) as revoked:
        for _ in range(20):
            one.step()
    assert clients.made == 21
    assert revoked == [], "no partition was assigned"


@pytest.mark.parametrize(("kind", "made"), [(Trouble.OTHER, 4), (Trouble.REPLACED, 1)])
def test_a_replaced_worker_ends_at_once_and_a_worker_with_unknown_errors_ends_after_three_new_clients(
    kind: Trouble, made: int
) -> None:
    clients = Failing(kind)
    one = consumer(clients)
    with pytest.raises(WorkerFailed) as failed:
        for _ in range(20):
            one.step()
    assert (clients.made, failed.value.exit_code) == (made, 3)


def test_a_worker_makes_new_clients_without_end_if_each_client_read_a_record_before_it_failed() -> None:
    clients = Recovering()
    one = consumer(clients)
    for _ in range(60):
        one.step()
    assert clients.made == 21
