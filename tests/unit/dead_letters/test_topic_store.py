"""A dead letter on a topic is stored once Kafka has said so."""

from __future__ import annotations

import pytest

from event_bus_kafka.dead_letters import topic_store
from event_bus_kafka.dead_letters.topic_store import TopicStore
from event_bus_kafka.errors import DeadLetterStoreFailed
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.sandbox import Sandbox
from tests.support.direct import AWAY
from tests.unit.dead_letters.test_letter import letter, record


def test_one_that_kafka_does_not_confirm_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_store, "_CONFIRMED_WITHIN", 0.2)
    store = TopicStore("g.dead-letters", lambda: Producer({"bootstrap.servers": AWAY}))
    with pytest.raises(DeadLetterStoreFailed, match="Kafka did not confirm it"):
        store.store(letter(record()))


def test_one_that_kafka_refuses_is_not_stored_and_the_next_one_is(sandbox: Sandbox) -> None:
    options = {"bootstrap.servers": sandbox.bootstrap_servers}
    store = TopicStore("g.dead-letters", lambda: Producer(options))
    sandbox.fail_next("Produce", "INVALID_RECORD")
    with pytest.raises(DeadLetterStoreFailed, match="INVALID_RECORD"):
        store.store(letter(record()))
    store.store(letter(record()))
    assert len(sandbox.records("g.dead-letters", 1)) == 1
