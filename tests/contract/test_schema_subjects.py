"""
A registry returns the versions of a subject, and applies compatibility levels. The tests run on the sandbox and on a
real registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError as ClientError

from event_bus_kafka.errors import SchemaRegistryError
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from tests.interop.schema_changes import CHANGES, NEUTRAL
from tests.services.bus import Bus
from tests.services.silence import answering

OLD, NEW = CHANGES["a required field is added"]
"""
Two versions of a schema. If the old version is registered, a registry accepts the new version under the level FORWARD,
and refuses the new version under the level BACKWARD.
"""


@pytest.fixture
def subjects(bus: Bus) -> Iterator[SchemaSubjects]:
    with closing(SchemaSubjects({"url": bus.schema_registry_url}, timeout=30)) as subjects:
        yield subjects


@pytest.fixture
def client(bus: Bus) -> Iterator[SchemaRegistryClient]:
    with closing(SchemaRegistryClient({"url": bus.schema_registry_url, "max.retries": 0})) as client:
        yield client


def test_versions_of_a_subject_and_ids_of_its_schemas_are_returned(
    subjects: SchemaSubjects, client: SchemaRegistryClient, topic: str
) -> None:
    assert subjects.versions(topic) == []
    assert subjects.id_of(topic, OLD) is None
    schema_id = client.register_schema(topic, Schema(OLD, "AVRO"))
    client.register_schema(topic, Schema(NEW, "AVRO"))
    assert subjects.versions(topic) == [(1, OLD), (2, NEW)]
    assert subjects.id_of(topic, OLD) == schema_id
    assert subjects.id_of(topic, NEUTRAL.replace("level", "other")) is None


@pytest.mark.parametrize(("level", "accepted"), [("NONE", True), ("BACKWARD", False), ("FORWARD", True)])
def test_the_compatibility_level_decides_which_schemas_are_accepted(
    subjects: SchemaSubjects, client: SchemaRegistryClient, topic: str, level: str, accepted: bool
) -> None:
    subject = f"{topic}-{level}"
    client.register_schema(subject, Schema(OLD, "AVRO"))
    assert subjects.level(subject) == "NONE", "the level of the whole registry"
    client.set_compatibility(subject, level)
    assert subjects.level(subject) == level
    assert subjects.accepts(subject, NEW, transitive=False) == accepted
    if accepted:
        client.register_schema(subject, Schema(NEW, "AVRO"))
        return
    with pytest.raises(ClientError) as caught:
        client.register_schema(subject, Schema(NEW, "AVRO"))
    assert caught.value.http_status_code == 409
    assert subjects.versions(subject) == [(1, OLD)]


def test_a_transitive_compatibility_level_checks_a_schema_against_all_versions(
    subjects: SchemaSubjects, client: SchemaRegistryClient, topic: str
) -> None:
    old, new = CHANGES["long becomes string"]
    for schema in (old, NEUTRAL):
        client.register_schema(topic, Schema(schema, "AVRO"))
    for level, accepted in (("FORWARD", True), ("FORWARD_TRANSITIVE", False)):
        client.set_compatibility(topic, level)
        assert subjects.accepts(topic, new, transitive=level != "FORWARD") == accepted


def test_a_wrong_url_is_not_reported_as_an_unknown_subject() -> None:
    with answering(404, b"none") as address, closing(SchemaSubjects({"url": f"http://{address}"}, timeout=10)) as wrong:
        for ask in (lambda: wrong.versions("any"), lambda: wrong.id_of("any", OLD), lambda: wrong.level("any")):
            with pytest.raises(SchemaRegistryError, match="EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL"):
                ask()
