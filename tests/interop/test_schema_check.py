"""
``event_schemas check`` judges changes of schemas like a real registry. The command either asks the registry or compares
files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from event_bus_kafka.operations.schemas.own_schemas import OwnSchema
from event_bus_kafka.operations.schemas.schema_check import SchemaFinding, SchemaStanding, in_directory, in_registry
from event_bus_kafka.operations.schemas.schema_directory import SchemaDirectory
from event_bus_kafka.schemas.verdict import LEVELS, is_transitive
from tests.interop.schema_changes import CHANGES, NEUTRAL
from tests.services.schema_registry import SchemaRegistry

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def client(schema_registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    with closing(SchemaRegistryClient({"url": schema_registry.url})) as client:
        yield client


@pytest.fixture(scope="module")
def subjects(schema_registry: SchemaRegistry) -> Iterator[SchemaSubjects]:
    with closing(SchemaSubjects({"url": schema_registry.url}, timeout=30)) as subjects:
        yield subjects


@pytest.mark.parametrize("title", CHANGES)
def test_schema_checks_agree_with_the_registry_at_every_compatibility_level(
    client: SchemaRegistryClient, subjects: SchemaSubjects, tmp_path: Path, title: str
) -> None:
    """
    At transitive levels the subject also has the version ``NEUTRAL``, registered after the old version and before the
    new version.
    """
    old, new = CHANGES[title]
    for level in LEVELS:
        history = [old, NEUTRAL] if is_transitive(level) else [old]
        subject = f"{title} {level}"
        for schema in history:
            client.register_schema(subject, Schema(schema, "AVRO"))
        client.set_compatibility(subject, level)
        directory = SchemaDirectory(tmp_path / level)
        for schema in history:
            directory.export("type", schema, replace=False)

        online = in_registry(subjects, OwnSchema(event_type="type", subject=subject, schema=new))
        offline = in_directory(directory, "type", new, level)
        accepted = is_accepted(client, subject, new)
        for finding in (online, offline):
            assert accepted == (finding.standing is not SchemaStanding.INCOMPATIBLE), (level, finding)
            assert accepted == (not finding.refusals), (level, finding)
            assert says_why(finding), (level, finding)


def is_accepted(client: SchemaRegistryClient, subject: str, schema: str) -> bool:
    try:
        client.register_schema(subject, Schema(schema, "AVRO"))
    except SchemaRegistryError as error:
        if error.http_status_code != HTTPStatus.CONFLICT:
            raise
        return False
    return True


def says_why(finding: SchemaFinding) -> bool:
    """Return whether each refusal in a finding names the field that is incompatible."""
    return all(any(name in one for name in (": a ", ": b ", ": owner", ": heir", ": a[]")) for one in finding.refusals)
