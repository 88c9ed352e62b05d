"""
Test that groups are not asked for their offsets while their coordinator is away: librdkafka would end the process.
"""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from event_bus_kafka.kafka.broker_errors import no_answer, to_broker_error
from event_bus_kafka.kafka.cluster.groups import Groups

_AWAY = [
    *(KafkaError._TRANSPORT, KafkaError._WAIT_COORD, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT),
    *(KafkaError.REQUEST_TIMED_OUT, KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS),
]


@pytest.mark.parametrize("code", [*_AWAY, None])
def test_a_group_whose_coordinator_is_away_is_not_asked(code: int | None) -> None:
    error = no_answer(1) if code is None else to_broker_error(KafkaError(code))
    groups = Groups({"bootstrap.servers": "127.0.0.1:9"})
    found = groups.committed({"mail": None}, {"mail": error}, timeout=0.1)
    assert found == {"mail": error}
