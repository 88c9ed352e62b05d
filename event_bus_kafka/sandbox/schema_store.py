"""The schemas of the registry by subject, version and id, in memory."""

from __future__ import annotations

import json
import threading
from typing import Any

import attrs
import fastavro

from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.schemas import verdict

_ALL = ""
"""Key for the default level, which applies to subjects without a level of their own."""


class Refused(Exception):
    """
    The error with which a request is answered. The first three digits of Confluent's ``code`` are the HTTP status.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return int(str(self.code)[:3])


@attrs.frozen(kw_only=True)
class Version:
    """One version of a subject, numbered from 1."""

    subject: str
    version: int
    id: int
    schema: str


class SchemaStore:
    """Schemas by id and by subject. Equal schemas have the same id, even under different subjects."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._subjects: dict[str, list[Version]] = {}
        self._levels: dict[str, str] = {}

    def register(self, subject: str, text: str) -> Version:
        """Return the version of a schema under a subject; register the schema if it is new. Raises :class:`Refused`."""
        canonical = _canonical(text)
        with self._lock:
            schema_id = self._ids.setdefault(canonical, len(self._ids) + 1)
            self._texts.setdefault(schema_id, text)
            versions = self._subjects.setdefault(subject, [])
            for known in versions:
                if known.id == schema_id:
                    return known
            self._require_compatible(subject, text, versions)
            versions.append(Version(subject=subject, version=len(versions) + 1, id=schema_id, schema=text))
            return versions[-1]

    def level(self, subject: str | None = None) -> str:
        """Return the compatibility level of a subject; None: the default level. Raises :class:`Refused`."""
        if subject is not None and subject not in self._levels:
            raise Refused(40408, f"Subject '{subject}' does not have subject-level compatibility configured")
        return self._levels.get(subject or _ALL, "NONE")

    def set_level(self, level: str, subject: str | None = None) -> str:
        """Set the compatibility level of a subject; None: the default level. Raises :class:`Refused`."""
        if level not in verdict.LEVELS:
            raise Refused(42203, "Invalid compatibility level")
        self._levels[subject or _ALL] = level
        return level

    def accepts(self, subject: str, text: str, number: str | None = None) -> bool:
        """
        Return whether the subject's compatibility level allows a schema after version ``number``; None: after all
        versions of the subject. Raises :class:`Refused`.
        """
        versions = self.versions(subject) if number is None else [self.version(subject, number)]
        return not self._refusals(subject, _valid(text), versions)

    def look_up(self, subject: str, text: str) -> Version:
        """Return the version of a schema under a subject. Raises :class:`Refused`."""
        schema_id = self._ids.get(_canonical(text))
        for version in self.versions(subject):
            if version.id == schema_id:
                return version
        raise Refused(40403, "Schema not found")

    def versions(self, subject: str) -> list[Version]:
        """Return a subject's versions. Raises :class:`Refused`."""
        if subject not in self._subjects:
            raise Refused(40401, f"Subject '{subject}' not found.")
        return list(self._subjects[subject])

    def version(self, subject: str, number: str) -> Version:
        """Return one version of a subject, by number or ``latest``. Raises :class:`Refused`."""
        versions = self.versions(subject)
        if number in ("latest", "-1"):
            return versions[-1]
        if not number.isdecimal() or number == "0":
            raise Refused(42202, "The specified version is not a valid version id.")
        if int(number) > len(versions):
            raise Refused(40402, f"Version {number} not found.")
        return versions[int(number) - 1]

    def text(self, schema_id: str) -> str:
        """Return the schema that has an id. Raises :class:`Refused`."""
        if not schema_id.isdecimal() or int(schema_id) not in self._texts:
            raise Refused(40403, f"Schema {schema_id} not found")
        return self._texts[int(schema_id)]

    def _require_compatible(self, subject: str, text: str, versions: list[Version]) -> None:
        refusals = self._refusals(subject, text, versions)
        if refusals:
            earlier = f'incompatible with an earlier schema for subject "{subject}"'
            raise Refused(409, f"Schema being registered is {earlier}, details: {'; '.join(refusals)}")

    def _refusals(self, subject: str, text: str, versions: list[Version]) -> list[str]:
        level = self._levels.get(subject) or self.level()
        try:
            return verdict.refusals(level, text, [(f"version {one.version}", one.schema) for one in versions])
        except ConfigurationError as error:
            raise Refused(50001, f"The sandbox cannot check compatibility. {error}") from None

    def subjects(self) -> list[str]:
        """Return the names of all subjects."""
        return sorted(self._subjects)


def _valid(text: str) -> str:
    """Return the schema unchanged. Raises :class:`Refused` if it is not valid."""
    _canonical(text)
    return text


def _canonical(text: str) -> str:
    """
    Return the canonical text of a schema, which is the same for equal schemas. It contains no documentation, and no
    names that Avro ignores.
    """
    try:
        schema = json.loads(text)
        fastavro.parse_schema(schema)
    except Exception:  # noqa: BLE001 fastavro raises anything from KeyError to RecursionError on malformed schemas
        raise Refused(42201, "Invalid Avro schema") from None
    return json.dumps(_without_ornaments(schema), sort_keys=True)


def _without_ornaments(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_ornaments(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    named = schema.get("type") in ("record", "enum", "fixed", "error")
    kept = {key: value for key, value in schema.items() if key != "doc" and (named or key != "name")}
    if "fields" in kept:
        kept["fields"] = [_field(field) for field in kept["fields"]]
    for inner in ("items", "values"):
        if inner in kept:
            kept[inner] = _without_ornaments(kept[inner])
    return kept["type"] if list(kept) == ["type"] else kept


def _field(field: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in field.items() if key != "doc"} | {"type": _without_ornaments(field["type"])}
