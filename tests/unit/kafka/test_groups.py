"""
Groups are asked for their committed offsets one after the other, within one time limit. A group whose coordinator is
unavailable is not asked.
"""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError

from event_bus_kafka.kafka.broker_errors import no_answer, to_broker_error
from event_bus_kafka.kafka.cluster.groups import Groups

_AWAY = [
    *(KafkaError._TRANSPORT, KafkaError._WAIT_COORD, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT),
    *(KafkaError.REQUEST_TIMED_OUT, KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS),
]


@pytest.mark.parametrize("code", [*_AWAY, None])
def test_a_group_is_not_asked_for_offsets_while_its_coordinator_is_unavailable(code: int | None) -> None:
    error = no_answer(1) if code is None else to_broker_error(KafkaError(code))
    groups = Groups({"bootstrap.servers": "127.0.0.1:9"})
    found = groups.committed({"mail": None}, {"mail": error}, timeout=0.1)
    assert found == {"mail": error}


class _Recording(Groups):
    """Remembers, for each group, the time limit of its request in seconds."""

    def __init__(self) -> None:
        super().__init__({"bootstrap.servers": "127.0.0.1:9"})
        self.given: list[float] = []

    def _ask_committed(self, group: str, partitions: Any, timeout: float) -> Any:
        self.given.append(timeout)
        return super()._ask_committed(group, partitions, timeout)


def test_each_group_is_asked_within_the_time_that_remains_after_earlier_groups() -> None:
    groups = _Recording()
    found = groups.committed({f"group-{number}": None for number in range(101)}, {}, timeout=0.5)
    assert len(found) == 101
    assert groups.given[-1] < groups.given[0]
