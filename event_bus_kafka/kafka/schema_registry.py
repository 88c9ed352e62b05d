"""Schema ids and schemas, asked of the registry once per process (Confluent's REST API)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError as ClientError

from event_bus_kafka.errors import ConfigurationError, EventBusError, SchemaRegistryError
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import RegistryFailed

T = TypeVar("T")

_RETRIABLE_STATUS = frozenset({401, 403, 408, 409, 425, 429})
"""Credentials are rotated and quotas end: nothing is lost by asking again. From 500 on all are retriable."""
_ADVICE = {
    401: "check EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY and _API_SECRET",
    403: "the user of EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY has no right to this",
    404: "nothing of that name or id; check EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL",
    409: "the schema is not compatible with the registered versions",
    422: "the registry refuses the schema",
}


class SchemaRegistry:
    """
    Schema ⇄ id, cached for the life of the process in both directions: ids are never reused.

    ``timeout``: seconds that one request may take, whatever the network does. ``rest``: seconds for which the registry
    is left alone after a failure; requests in that time fail at once. ``register``: unknown schemas are registered.
    """

    def __init__(
        self,
        options: dict[str, Any],
        *,
        timeout: float,
        register: bool,
        rest: float = 0.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        try:
            self._client = SchemaRegistryClient(options)
        except (TypeError, ValueError, OSError) as error:
            raise ConfigurationError(f"The schema registry's options are wrong: {error}.") from error
        self._timeout = timeout
        self._register = register
        self._rest = rest
        self._clock = clock
        self._ids: dict[tuple[str, str], int] = {}
        self._schemas: dict[int, str] = {}
        self._resting_until = 0.0
        self._last_error: SchemaRegistryError | None = None

    def id_of(self, subject: str, schema: str) -> int:
        """Return the id of a schema (JSON text) under a subject. Raises :class:`SchemaRegistryError`."""
        known = self._ids.get((subject, schema))
        if known is not None:
            return known
        avro = Schema(schema, "AVRO")
        if self._register:
            schema_id = self._ask(f"registering {subject}", lambda: self._client.register_schema(subject, avro))
        else:
            found = self._ask(f"looking up {subject}", lambda: self._client.lookup_schema(subject, avro))
            schema_id = _whole(found.schema_id)
        return self._ids.setdefault((subject, schema), schema_id)

    def schema_of(self, schema_id: int) -> str:
        """Return the schema (JSON text) of an id. Raises :class:`SchemaRegistryError`."""
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        found = self._ask(f"schema {schema_id}", lambda: self._client.get_schema(schema_id))
        if not isinstance(found.schema_str, str):
            raise SchemaRegistryError(f"The registry sent no text for schema {schema_id}.", retriable=True)
        return self._schemas.setdefault(schema_id, found.schema_str)

    def close(self) -> None:
        """Close the connections; the object is of no use afterwards."""
        self._client.close()

    def _ask(self, what: str, request: Callable[[], T]) -> T:
        if self._last_error is not None and self._clock() < self._resting_until:
            raise self._last_error.with_traceback(None)  # else each raise would prolong it, and keep event data
        try:
            answer = _within(self._timeout, request)
        except Exception as error:  # noqa: BLE001 whatever a client, a proxy or a half-written answer provokes
            raise self._failed(what, error) from None
        self._last_error = None
        return answer

    def _failed(self, what: str, error: Exception) -> EventBusError:
        failure = _understood(what, error, self._timeout)
        if failure.retriable:
            self._last_error = failure
            self._resting_until = self._clock() + self._rest
        emit(RegistryFailed(error=failure, retriable=failure.retriable))
        return failure


def _within(seconds: float, request: Callable[[], T]) -> T:
    """
    Run a request in a thread of its own and wait so long at most.

    HTTP time-outs hold per read, and name resolution has none: a registry that drips would hold a web request for ever.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(request())
        except Exception as error:  # noqa: BLE001
            answer.set_exception(error)

    threading.Thread(target=run, name="event-bus-registry", daemon=True).start()
    return answer.result(seconds)


def _understood(what: str, error: Exception, timeout: float) -> SchemaRegistryError:
    if isinstance(error, ClientError):
        status = error.http_status_code
        retriable = status in _RETRIABLE_STATUS or status >= 500
        advice = f"; {_ADVICE[status]}" if status in _ADVICE else ""
        return SchemaRegistryError(f"{what}: HTTP {status}{advice}", status=status, retriable=retriable)
    if isinstance(error, TimeoutError):
        return SchemaRegistryError(f"{what}: no answer within {timeout:g} s", retriable=True)
    return SchemaRegistryError(f"{what}: {type(error).__name__}: {error}", retriable=True)


def _whole(schema_id: int | None) -> int:
    if not isinstance(schema_id, int):
        raise SchemaRegistryError("The registry sent no schema id.", retriable=True)
    return schema_id
