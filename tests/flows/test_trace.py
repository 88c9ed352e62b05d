"""
``event_trace`` finds an event in Kafka, and says which groups have committed an offset after it. It prints no event
data.
"""

from __future__ import annotations

import json
import re
from time import time
from typing import Any
from uuid import UUID, uuid1, uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition
from django.core.management import CommandError, call_command
from django.test import override_settings

from event_bus_kafka.consuming.offset_metadata import OffsetMetadata
from event_bus_kafka.operations.whereabouts.answer import Question
from tests.services.bus import CREATED, Bus
from tests.support import trace_command
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.trace_command import sent

pytestmark = pytest.mark.django_db
on_sandbox = pytest.mark.parametrize("bus", ["sandbox"], indirect=True)
"""Marks tests that run only on the sandbox, because their result does not depend on the brokers."""


def trace(bus: Bus, topic: str, *arguments: Any, finds: bool = True, **settings: Any) -> str:
    """Run event_trace with the settings of a service that sends certificates to ``topic``; return its output."""
    with override_settings(**bus.settings(topic, **settings)):
        return trace_command.trace(*arguments, finds=finds)


def found(bus: Bus, topic: str, *arguments: Any, finds: bool = True, **settings: Any) -> dict[str, Any]:
    with override_settings(**bus.settings(topic, **settings)):
        return trace_command.found(*arguments, finds=finds)


def test_an_event_is_found_in_kafka_with_the_progress_of_each_group(bus: Bus, topic: str, group: str) -> None:
    event_id = sent(bus, topic, 1, 2, 3)[1]
    beyond, behind, new = (f"{group}-{name}" for name in ("beyond", "behind", "new"))
    bus.commit(beyond, topic, 2)
    bus.commit(behind, topic, 0)
    text = trace(bus, topic, event_id, EVENT_BUS_KAFKA_SUBSCRIPTIONS={beyond: [topic], behind: [topic], new: [topic]})
    assert f"Event {event_id} of type {CREATED}, emitted 2" in text
    assert f"In Kafka: {topic}:0:1, written 2" in text
    assert f"    Group {beyond} has committed offset 2: it has handled this record. Its lag is 1.\n" in text
    assert (
        f"    Group {behind} has committed offset 0: it has not finished this record, 1 offset later. Its lag is 3.\n"
        in text
    )
    assert (
        f"    Group {new} has committed no offset for this partition, although it is to read the topic. Its lag is 3.\n"
        in text
    )
    assert "nowhere" not in text


@on_sandbox
def test_an_event_counts_as_unread_while_it_is_the_next_record_of_a_group(bus: Bus, topic: str, group: str) -> None:
    (event_id,) = sent(bus, topic, 1)
    bus.commit(group, topic, 0)
    (record,) = found(bus, topic, event_id, EVENT_BUS_KAFKA_SUBSCRIPTIONS={group: [topic]})["records"]
    (place,) = record["groups"]
    assert (place["reached"], place["before"], place["lag"]) == ("behind", 0, 1)


def test_events_are_found_by_key_and_no_event_data_is_shown(bus: Bus, topic: str) -> None:
    ids = sent(bus, topic, 7, 8, 7)
    answer = found(bus, topic, "--key", "7")
    assert [(one["offset"], one["event_id"]) for one in answer["records"]] == [(0, str(ids[0])), (2, str(ids[2]))]
    (key,) = {one["masked_key"] for one in answer["records"]}
    assert key.startswith("key-")
    text = trace(bus, topic, "--key", "7") + json.dumps(answer["records"])
    assert not re.search("learner|honor|Learner|edX", text)
    assert found(bus, topic, "--key", "9", finds=False)["records"] == []


@on_sandbox
def test_keys_are_compared_as_bytes_while_the_registry_is_unreachable(bus: Bus, topic: str) -> None:
    sent(bus, topic, 7)
    answer = found(bus, topic, "--key", "7", EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL="http://127.0.0.1:9")
    assert len(answer["records"]) == 1
    (unseen,) = [one for one in answer["unseen"] if one["what"] == "the schema registry"]
    assert unseen["why"].endswith("; keys were compared by their bytes alone")


def test_an_unknown_event_is_reported_with_the_range_that_was_searched(bus: Bus, topic: str) -> None:
    sent(bus, topic, 1, 2)
    text = trace(bus, topic, uuid4(), finds=False)
    assert "whose id carries no time.\nIt is nowhere in the places that could be searched.\n" in text
    assert f"Looked at 2 offsets of topic {topic}, to its end.\n" in text
    assert "databases: ask there, too." in text


@on_sandbox
def test_event_trace_says_how_to_continue_the_search_if_its_time_runs_out(bus: Bus, topic: str) -> None:
    sent(bus, topic, 1, 2)
    text = trace(bus, topic, uuid4(), "--seconds", "1e-9", finds=False)
    assert f"Looked at 0 offsets of topic {topic}, not to its end.\n    Partition 0: 0 of 2.\n" in text
    assert "1e-09 seconds were over after 0 records. To go on: manage.py event_trace " in text


@on_sandbox
def test_event_ids_are_found_if_they_are_in_upper_case_or_in_braces_or_have_no_hyphens(bus: Bus, topic: str) -> None:
    event_id = uuid4()
    for spelled in (str(event_id).upper(), event_id.hex, f"{{{event_id}}}"):
        bus.produce(topic, value=b"x", headers={"ce_type": b"a.type", "ce_id": spelled.encode()})
    assert [one["offset"] for one in found(bus, topic, event_id, "-t", topic)["records"]] == [0, 1, 2]


@on_sandbox
def test_event_trace_does_not_find_an_id_in_values_or_wrong_headers(bus: Bus, topic: str) -> None:
    event_id = str(uuid4()).encode()
    bus.produce(topic, value=event_id, headers={"ce_type": b"a.type", "ce_id": b"other", "ce_source": event_id})
    assert found(bus, topic, event_id.decode(), finds=False)["records"] == []


@on_sandbox
def test_event_trace_names_a_group_that_will_skip_the_quarantined_record(bus: Bus, topic: str, group: str) -> None:
    event_id = sent(bus, topic, 1, 2)[1]
    consumer = Consumer({"bootstrap.servers": bus.bootstrap_servers, "group.id": group, "log_level": 0})
    marks = OffsetMetadata(taken=frozenset({1})).at(0)
    consumer.commit(offsets=[TopicPartition(topic, 0, 0, marks)], asynchronous=False)
    consumer.close()
    text = trace(bus, topic, event_id, EVENT_BUS_KAFKA_SUBSCRIPTIONS={group: [topic]})
    assert (
        f"Group {group} has committed offset 0: it will skip this record, which was quarantined. Its lag is 2." in text
    )


@on_sandbox
def test_event_trace_omits_the_searched_range_of_a_topic_in_which_it_found_the_event(bus: Bus, topic: str) -> None:
    other = f"{topic}-other"
    bus.create_topic(other)
    sent(bus, other, 1)
    (event_id,) = sent(bus, topic, 1)
    answer = found(bus, topic, event_id, EVENT_BUS_KAFKA_SUBSCRIPTIONS={"any": [other]})
    assert [one["topic"] for one in answer["records"]] == [topic]
    assert [one for one in answer["scanned"] if one["topic"] == topic] == []


@on_sandbox
def test_event_trace_finds_an_event_and_its_dead_letter_on_a_topic(bus: Bus, topic: str, group: str) -> None:
    (event_id,) = sent(bus, topic, 1)
    letters = f"{group}.dead-letters"
    bus.create_topic(letters)
    headers = {"dead_letter_group": group.encode(), "ce_type": CREATED.encode(), "ce_id": str(event_id).encode()}
    bus.produce(letters, value=b"x", headers=headers)
    on_topic: dict[str, Any] = {"EVENT_BUS_KAFKA_DEAD_LETTERS": "topic"}
    text = trace(bus, topic, event_id, EVENT_BUS_KAFKA_SUBSCRIPTIONS={group: [topic]}, **on_topic)
    assert f"In Kafka: {topic}:0:0, written " in text
    assert f"In Kafka: a dead letter of it, {letters}:0:0, written " in text


@on_sandbox
def test_event_trace_fails_for_a_missing_topic_only_if_an_argument_names_the_topic(bus: Bus, topic: str) -> None:
    (event_id,) = sent(bus, topic, 1)
    with override_settings(**bus.settings(topic)), pytest.raises(CommandError, match=r"^There is no topic missing"):
        call_command("event_trace", str(event_id), "--topic", "missing")
    text = trace(bus, topic, event_id, EVENT_BUS_KAFKA_SUBSCRIPTIONS={"any": [f"{topic}-missing"]})
    assert f"Not seen: topic {topic}-missing: NotThere: There is no topic" in text


@on_sandbox
def test_event_trace_says_that_it_did_not_search_kafka_if_broker_settings_are_missing(topic: str, bus: Bus) -> None:
    text = trace(bus, topic, uuid4(), finds=False, EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=None)
    assert "Not seen: Kafka: ConfigurationError: EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set" in text


@on_sandbox
def test_an_event_is_found_even_if_its_id_was_created_long_before_the_send(bus: Bus, topic: str) -> None:
    made = uuid1()
    early = UUID(fields=(made.time_low, made.time_mid, made.time_hi_version - 1, *made.fields[3:]))
    send(bus, topic, certificate(1), id=early, through={"EVENT_BUS_PRODUCER_MODE": "immediate"})
    assert ", long after its id was made: it waited in an outbox," in trace(bus, topic, early)


def test_the_time_of_an_event_is_read_from_its_id_only_if_the_id_is_a_uuid1() -> None:
    before, event_id, after = time() * 1000, uuid1(), time() * 1000
    assert before - 1 <= (Question(event_id=event_id).emitted or 0) <= after + 1
    assert Question(event_id=uuid4()).emitted is None
