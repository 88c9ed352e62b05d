"""
A dead letter on a topic counts as stored only after Kafka has confirmed it. Parts that Kafka refuses are left out.
"""

from __future__ import annotations

import threading
from time import sleep

import pytest

from event_bus_kafka.dead_letters import topic_store
from event_bus_kafka.dead_letters.topic_store import TopicStore, from_record
from event_bus_kafka.errors import BrokerError, DeadLetterStoreFailed
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry import events
from tests.support.direct import AWAY
from tests.support.watching import watched
from tests.unit.dead_letters.test_letter import letter, record


def test_a_store_error_is_raised_if_kafka_does_not_confirm_a_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_store, "_CONFIRMED_WITHIN", 0.2)
    store = TopicStore("g.dead-letters", lambda: Producer({"bootstrap.servers": AWAY}))
    with pytest.raises(DeadLetterStoreFailed, match="Kafka did not confirm it"):
        store.store(letter(record()))


def test_storing_a_letter_raises_a_store_error_while_kafka_refuses_it_and_succeeds_afterwards(sandbox: Sandbox) -> None:
    store = on(sandbox, "g.dead-letters")
    sandbox.fail_next("Produce", "INVALID_RECORD")
    with pytest.raises(DeadLetterStoreFailed, match="INVALID_RECORD"):
        store.store(letter(record()))
    store.store(letter(record()))
    assert len(sandbox.records("g.dead-letters", 1)) == 1


def on(sandbox: Sandbox, topic: str, **options: object) -> TopicStore:
    options = {"bootstrap.servers": sandbox.bootstrap_servers, "enable.idempotence": True, "log_level": 0} | options
    return TopicStore(topic, lambda: Producer(options))


def test_c8_a_letter_is_stored_without_its_value_if_it_is_too_large_for_kafka(sandbox: Sandbox) -> None:
    sent = letter(record(value=b"x" * 20_000))
    with watched(events.DeadLetterReduced) as told:
        on(sandbox, "large.dead-letters", **{"message.max.bytes": 10_000}).store(sent)
    (carried,) = sandbox.records("large.dead-letters", 1)
    assert carried.value == b""
    read = from_record(carried)
    assert (read.record, read.failures) == (letter(record(value=b"")).record, sent.failures)
    assert [(part, mark.size) for part, mark in read.left_out.items()] == [("value", 20_000)]
    assert "MSG_SIZE_TOO_LARGE" in told[0].reason


def test_c8_a_letter_without_its_headers_keeps_the_type_and_id_of_its_event(sandbox: Sandbox) -> None:
    sent = letter(record(headers=(*record().headers, ("large", b"x" * 20_000))))
    on(sandbox, "headers.dead-letters", **{"message.max.bytes": 10_000}).store(sent)
    read = from_record(sandbox.records("headers.dead-letters", 1)[0])
    assert (read.event_type, read.event_id) == (sent.event_type, sent.event_id)
    assert (read.record.headers, read.record.value, list(read.left_out)) == ((), sent.record.value, ["headers"])


def test_c8_a_store_error_is_raised_if_a_letter_without_contents_is_still_too_large(sandbox: Sandbox) -> None:
    sent = letter(record(topic="t" * 2_000))
    with pytest.raises(DeadLetterStoreFailed, match="MSG_SIZE_TOO_LARGE"):
        on(sandbox, "none.dead-letters", **{"message.max.bytes": 1_000}).store(sent)


@pytest.mark.parametrize("code", ["OUT_OF_ORDER_SEQUENCE_NUMBER", "CLUSTER_AUTHORIZATION_FAILED"])
def test_c9_letters_are_stored_after_a_fatal_error_of_the_producer(code: str) -> None:
    with Sandbox() as sandbox:
        store = on(sandbox, "g.dead-letters")
        store.store(letter(record(offset=1)))
        sandbox.fail_next("Produce", code)
        with pytest.raises(DeadLetterStoreFailed):
            store.store(letter(record(offset=2)))
        sandbox.mend()
        store.store(letter(record(offset=2)))
        assert {from_record(one).record.offset for one in sandbox.records("g.dead-letters", 2)} == {1, 2}


def test_c9_all_lanes_share_one_producer_which_is_replaced_once_after_a_fatal_error(sandbox: Sandbox) -> None:
    made: list[Producer] = []

    def connect() -> Producer:
        made.append(Producer({"bootstrap.servers": sandbox.bootstrap_servers}))
        sleep(0.1)
        return made[-1]

    store = TopicStore("lanes.dead-letters", connect)

    def on_four_lanes(first: int) -> None:
        lanes = [threading.Thread(target=store.store, args=(letter(record(offset=first + n)),)) for n in range(4)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()

    on_four_lanes(0)
    assert len(made) == 1
    made[0].failure = BrokerError("_FATAL", "fenced", fatal=True)
    on_four_lanes(4)
    assert len(made) == 2
    assert len(sandbox.records("lanes.dead-letters", 8)) == 8
