"""
A registry accepts the schemas that the compatibility level of the subject allows. If the registry refuses a schema, the
producer logs an error.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.test import override_settings
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import SchemaRegistryError
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.wire.codec import codec_for
from tests.interop.changes import BOTH, CHANGES, REQUIRED_ADDED
from tests.interop.event_versions import filled, version
from tests.interop.test_evolution import AT_ONCE
from tests.services.bus import RealBus
from tests.support.sending import own_producer

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def bus(request: pytest.FixtureRequest) -> RealBus:
    """Return a real Kafka and a real registry, because the tests verify the rules of a real registry."""
    return RealBus(request.getfixturevalue("cluster"), request.getfixturevalue("schema_registry"))


@pytest.fixture(scope="module")
def registry(bus: RealBus) -> Iterator[SchemaRegistry]:
    """
    Return a client of the registry that would send no request for an hour after an outage. So the tests fail if the
    client treats a refused schema as an outage.
    """
    registry = SchemaRegistry({"url": bus.schema_registry_url}, timeout=30, register=True, backoff=3600)
    yield registry
    registry.close()


def set_compatibility(bus: RealBus, subject: str, level: str) -> None:
    request = urllib.request.Request(
        f"{bus.schema_registry_url}/config/{quote(subject)}",
        method="PUT",
        data=json.dumps({"compatibility": level}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer) == {"compatibility": level}


@pytest.mark.parametrize("level", ["BACKWARD", "FORWARD", "FULL"])
@pytest.mark.parametrize("number", range(len(CHANGES)), ids=lambda number: CHANGES[number].title)
def test_a_registry_accepts_the_changes_that_its_compatibility_level_allows(
    bus: RealBus, registry: SchemaRegistry, number: int, level: str
) -> None:
    change, subject = CHANGES[number], f"{level}-{number}"
    old, new = (codec_for(version("test.level.v1", arguments)).schema for arguments in (change.old, change.new))
    registry.id_of(subject, old)
    set_compatibility(bus, subject, level)
    if change.passes >= ({level} if level != "FULL" else BOTH):
        registry.id_of(subject, new)
        return
    with pytest.raises(SchemaRegistryError) as caught:
        registry.id_of(subject, new)
    assert (caught.value.status, caught.value.retriable) == (409, False)
    assert subject in str(caught.value)


def test_a_producer_logs_the_refused_schema_with_advice_and_sends_other_events(
    bus: RealBus, caplog: pytest.LogCaptureFixture
) -> None:
    topic = "evolution-refused"
    bus.create_topic(topic)
    subject = f"{topic}-test.refused.v1.CloudEvent"
    old, new = (version("test.refused.v1", one) for one in (REQUIRED_ADDED.old, REQUIRED_ADDED.new))
    other = version("test.other.v1", REQUIRED_ADDED.new)

    def send(producer: KafkaEventProducer, signal: OpenEdxPublicSignal, **values: int) -> None:
        producer.send(
            signal=signal,
            topic=topic,
            event_key_field="course.id",
            event_data=filled(signal.init_data, {"course": values}),
            event_metadata=signal.generate_signal_metadata(),
        )
        producer.prepare_for_shutdown()

    at_once, errors = override_settings(**bus.settings(**AT_ONCE)), caplog.at_level(logging.ERROR, "event_bus_kafka")
    with at_once, errors, own_producer() as producer:
        send(producer, old, id=1)
        set_compatibility(bus, subject, "BACKWARD")
        send(producer, new, id=1, seats=2)
        (line,) = (text for text in caplog.messages if text.startswith("Error delivering message"))
        assert f"registering {subject}: HTTP 409" in line
        assert "seats" in line
        assert "give a new field default=None, or set the subject's level to NONE" in line
        send(producer, other, id=1, seats=2)
        set_compatibility(bus, subject, "NONE")
        with own_producer() as restarted:  # a new producer, which has not cached the refusal
            send(restarted, new, id=1, seats=2)
    assert len(bus.event_ids(topic, 3)) == 3
