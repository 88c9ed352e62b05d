"""Registers this service's schemas in the schema registry, during a deploy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from event_bus_kafka.errors import SchemaRegistryError
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from event_bus_kafka.operations.schemas.own_schemas import OwnSchema
from event_bus_kafka.operations.schemas.schema_check import in_registry


@attrs.frozen(kw_only=True)
class Registration:
    """The result of registering one schema."""

    subject: str
    event_type: str
    schema_id: int | None = None
    """Id of the schema in the registry; None: the schema was not registered."""
    was_known: bool = False
    """Whether the schema was registered before."""
    failures: tuple[str, ...] = ()
    """The reasons why the schema was not registered."""


def register(
    registry: SchemaRegistry, subjects: SchemaSubjects, schemas: Iterable[OwnSchema]
) -> Iterator[Registration]:
    """Register each schema, and yield the result. A schema that cannot be registered does not stop the others."""
    for own in schemas:
        try:
            known = subjects.id_of(own.subject, own.schema)
            schema_id = registry.id_of(own.subject, own.schema) if known is None else known
            yield Registration(
                subject=own.subject, event_type=own.event_type, schema_id=schema_id, was_known=known is not None
            )
        except SchemaRegistryError as error:
            failures = (str(error), *_reasons(subjects, own))
            yield Registration(subject=own.subject, event_type=own.event_type, failures=failures)


def _reasons(subjects: SchemaSubjects, own: OwnSchema) -> tuple[str, ...]:
    try:
        return in_registry(subjects, own).refusals
    except SchemaRegistryError:  # the registry's first failure is reported anyway
        return ()
