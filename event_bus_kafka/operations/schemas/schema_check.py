"""Compares the schemas of this service with earlier schemas, which are in a registry or in a directory."""

from __future__ import annotations

import json
from enum import StrEnum

import attrs

from event_bus_kafka.kafka.schema_subjects import SchemaSubjects
from event_bus_kafka.operations.schemas.own_schemas import OwnSchema
from event_bus_kafka.operations.schemas.schema_directory import SchemaDirectory
from event_bus_kafka.schemas import verdict
from event_bus_kafka.schemas.changes import changes_between

_SILENT = "the registry refuses it and does not say why"


class SchemaStanding(StrEnum):
    """The result of comparing a schema with the earlier schemas."""

    UNKNOWN = "unknown"
    """The registry or directory contains no earlier schema."""
    KNOWN = "known"
    """The registry contains the schema, or the schema is the last one that was exported to the directory."""
    COMPATIBLE = "compatible"
    """The schema is not ``KNOWN``, and is compatible with the earlier schemas."""
    INCOMPATIBLE = "incompatible"
    """The schema is not compatible with the earlier schemas. The directory may contain it nevertheless."""


@attrs.frozen(kw_only=True)
class SchemaFinding:
    """The details of comparing one schema with the earlier schemas."""

    event_type: str
    name: str
    """The schema's subject, or the name of its file."""
    standing: SchemaStanding
    level: str
    """The compatibility level by which the schemas were compared, for example ``BACKWARD``."""
    changes: tuple[str, ...] = ()
    """Differences from the latest earlier schema, field by field."""
    refusals: tuple[str, ...] = ()
    """The reasons why the schema is not compatible."""


def in_registry(subjects: SchemaSubjects, own: OwnSchema) -> SchemaFinding:
    """Compare a schema with the versions of its subject in the registry. Raises :class:`SchemaRegistryError`."""
    level = subjects.level(own.subject)
    history = [(f"version {number}", text) for number, text in subjects.versions(own.subject)]
    standing, refused = _standing_in_registry(subjects, own, level, known=bool(history))
    return SchemaFinding(
        event_type=own.event_type,
        name=own.subject,
        standing=standing,
        level=level,
        changes=tuple(changes_between(history[-1][1], own.schema)) if history else (),
        refusals=tuple(verdict.explanations(level, own.schema, history) or [_SILENT]) if refused else (),
    )


def in_directory(directory: SchemaDirectory, event_type: str, schema: str, level: str) -> SchemaFinding:
    """
    Compare a schema with the other schemas of its event type in the directory. Raises :class:`ConfigurationError` if a
    file cannot be read, or if the package ``avro`` is needed and not installed.

    The comparison is made even if the directory already contains the schema, because an incompatible schema may have
    been exported.
    """
    history = directory.history(event_type)
    others = [(name, text) for name, text in history if not _is_same(text, schema)]
    refusals = verdict.refusals(level, schema, others)
    standing = SchemaStanding.COMPATIBLE if others else SchemaStanding.UNKNOWN
    if history and _is_same(history[-1][1], schema):
        standing = SchemaStanding.KNOWN
    return SchemaFinding(
        event_type=event_type,
        name=directory.file_of(event_type).name,
        standing=SchemaStanding.INCOMPATIBLE if refusals else standing,
        level=level,
        changes=tuple(changes_between(others[-1][1], schema)) if others else (),
        refusals=tuple(refusals),
    )


def _standing_in_registry(
    subjects: SchemaSubjects, own: OwnSchema, level: str, *, known: bool
) -> tuple[SchemaStanding, bool]:
    """
    Return the result of the comparison, and whether the registry refuses the schema. ``known``: whether the subject has
    versions.
    """
    if not known:
        return SchemaStanding.UNKNOWN, False
    if subjects.id_of(own.subject, own.schema) is not None:
        return SchemaStanding.KNOWN, False
    if subjects.accepts(own.subject, own.schema, transitive=verdict.is_transitive(level)):
        return SchemaStanding.COMPATIBLE, False
    return SchemaStanding.INCOMPATIBLE, True


def _is_same(one: str, other: str) -> bool:
    return bool(json.loads(one) == json.loads(other))
