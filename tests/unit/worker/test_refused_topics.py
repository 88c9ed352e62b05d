"""
If Kafka forbids a worker to read a topic, the worker is not ready until Kafka allows it. The refusal is reported once a
minute. Here the tests supply Kafka's answers; tests/real/test_access.py uses a real broker.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs
import pytest

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import ClientErrorReported, LifecycleEvent
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.worker.refused_topics import RefusedTopics, Rights

DENIED = BrokerError("TOPIC_AUTHORIZATION_FAILED", "Topic authorization failed", kind=Trouble.FORBIDDEN)


def refusal(topic: str, client: str = "consumer") -> ClientErrorReported:
    return ClientErrorReported(
        client=client, error=DENIED, code=DENIED.code, kind=DENIED.kind, fatal=False, topic=topic
    )


@attrs.define
class Worker:
    """
    A worker whose client reports refusals. When the worker asks for its rights on topics, `rights` is Kafka's answer.
    """

    rights: Rights | BrokerError = attrs.field(factory=dict)
    now: float = 0.0
    health: Health = attrs.field(factory=Health)
    reported: list[LifecycleEvent] = attrs.field(factory=list)
    refused: RefusedTopics = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.refused = RefusedTopics(self._answer, self.health, clock=lambda: self.now)

    def look(self, at: float) -> None:
        self.now = at
        self.refused.look()

    def _answer(self, topics: Collection[str]) -> Rights:
        if isinstance(self.rights, BrokerError):
            raise self.rights
        return {topic: self.rights[topic] for topic in topics}


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    observe(worker.reported.append, ClientErrorReported)
    observe(worker.refused, ClientErrorReported)
    yield worker
    unobserve(worker.refused)
    unobserve(worker.reported.append)


def test_a_refused_topic_is_an_obstacle_until_it_may_be_read_again(worker: Worker) -> None:
    worker.refused(refusal("a"))
    worker.refused(refusal("b"))
    (first, second) = worker.health.reasons
    assert first.startswith("reading is refused: topic a (TOPIC_AUTHORIZATION_FAILED) since 20")
    worker.rights = {"a": frozenset({"DESCRIBE", "READ"}), "b": frozenset({"DESCRIBE"})}
    worker.look(5)
    assert worker.health.reasons == (second,)
    assert set(worker.refused.topics) == {"b"}
    worker.rights = {"b": DENIED}
    worker.look(10)
    assert not worker.health.is_ready
    worker.rights = {"b": frozenset({"READ"})}
    worker.look(15)
    assert worker.health.is_ready


def test_the_refusal_of_a_topic_remains_an_obstacle_while_kafka_does_not_answer(worker: Worker) -> None:
    worker.refused(refusal("a"))
    worker.rights = BrokerError("_TIMED_OUT", "Kafka did not answer within 5 s")
    worker.look(5)
    assert not worker.health.is_ready


def test_the_lasting_refusal_of_a_topic_is_reported_once_a_minute(worker: Worker) -> None:
    worker.refused(refusal("a"))
    worker.rights = {"a": DENIED}
    for at in range(0, 181, 5):
        worker.look(at)
    assert worker.reported == [refusal("a")] * 3


def test_errors_of_other_clients_and_errors_without_a_topic_are_not_refusals(worker: Worker) -> None:
    worker.refused(refusal("a", client="admin"))
    worker.refused(refusal(""))
    worker.refused(attrs.evolve(refusal("a"), kind=Trouble.MISSING))
    assert worker.health.is_ready
