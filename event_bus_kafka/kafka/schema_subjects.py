"""Asks a schema registry about its subjects: versions, compatibility levels, compatibility tests. For commands."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from event_bus_kafka.errors import ConfigurationError, SchemaRegistryError
from event_bus_kafka.interruptions import let_through
from event_bus_kafka.kafka.schema_registry import to_registry_error

T = TypeVar("T")


class SchemaSubjects:
    """
    The subjects of a registry. Caches nothing; each method may raise :class:`SchemaRegistryError`. ``timeout``: maximum
    seconds for one request.
    """

    def __init__(self, options: dict[str, Any], *, timeout: float) -> None:
        self._timeout = timeout
        try:
            self._client = SchemaRegistryClient(options | {"timeout": timeout})
        except (TypeError, ValueError, OSError) as error:
            raise ConfigurationError(f"The schema registry's options are wrong: {error}.") from error

    def close(self) -> None:
        """Close the connections; do not use the object afterwards."""
        self._client.close()

    def versions(self, subject: str) -> list[tuple[int, str]]:
        """
        Return number and schema (JSON text) of each version, the oldest first; an empty list if the subject is unknown.
        """
        what = f"versions of {subject}"
        try:
            numbers = self._ask(what, lambda: self._client.get_versions(subject))
        except SchemaRegistryError as error:
            if _is_unknown(error):
                return []
            raise
        return [(number, self._version(what, subject, number)) for number in sorted(numbers)]

    def id_of(self, subject: str, schema: str) -> int | None:
        """Return the id of a schema under a subject; None if the schema is not registered there."""
        avro = Schema(schema, "AVRO")
        try:
            return self._ask(f"looking up {subject}", lambda: self._client.lookup_schema(subject, avro).schema_id)
        except SchemaRegistryError as error:
            if _is_unknown(error):
                return None
            raise

    def level(self, subject: str) -> str:
        """Return the compatibility level of a subject; the registry's default level if the subject has none."""
        what = f"compatibility level of {subject}"
        try:
            return self._ask(what, lambda: self._client.get_compatibility(subject))
        except SchemaRegistryError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
        return self.default_level()

    def default_level(self) -> str:
        """Return the registry's default compatibility level."""
        return self._ask("compatibility level of the registry", self._client.get_compatibility)

    def accepts(self, subject: str, schema: str, *, transitive: bool) -> bool:
        """
        Return whether the registry would accept a schema as the successor of the last version or, if ``transitive`` is
        True, of all versions.
        """
        avro = Schema(schema, "AVRO")
        test = self._client.test_compatibility_all_versions if transitive else self._client.test_compatibility
        return bool(self._ask(f"compatibility with {subject}", lambda: test(subject, avro)))

    def _version(self, what: str, subject: str, number: int) -> str:
        text = self._ask(what, lambda: self._client.get_version(subject, number).schema.schema_str)
        if not isinstance(text, str):
            raise SchemaRegistryError(f"{what}: number {number} has no schema", retriable=False)
        return text

    def _ask(self, what: str, request: Callable[[], T]) -> T:
        try:
            return request()
        except Exception as error:  # noqa: BLE001 a client, a proxy or a broken answer may cause any error
            let_through(error)
            raise to_registry_error(what, error, self._timeout) from None
        finally:
            self._client.clear_caches()  # type: ignore[no-untyped-call]  # versions may change meanwhile


def _is_unknown(error: SchemaRegistryError) -> bool:
    """Return whether the registry says that there is no such subject or schema; a proxy's 404 does not count."""
    return error.status == HTTPStatus.NOT_FOUND and not error.retriable
