"""A client of the schema registry (Confluent's REST API), which caches ids and schemas."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from math import inf
from time import monotonic
from typing import Any, TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError as ClientError

from event_bus_kafka.errors import ConfigurationError, EventBusError, SchemaRegistryError
from event_bus_kafka.interruptions import let_through
from event_bus_kafka.kept import KeptSchemas
from event_bus_kafka.telemetry import emit, tallies
from event_bus_kafka.telemetry.events import RegistryFailed
from event_bus_kafka.telemetry.guards import answer
from event_bus_kafka.telemetry.metrics import REGISTRY_REQUESTS

T = TypeVar("T")

_HIGHEST_ID = 2**32 - 1
_NOT_FOUND = 404
_CONFLICT = 409
_UNKNOWN = frozenset({40401, 40403})
"""
Confluent's error codes for an unknown subject or schema. Any other 404 comes from a wrong URL or a proxy. It says
nothing about the schema, so a record that needs the schema must not become a dead letter.
"""
_MOST_KEPT = 4096
"""
Maximum number of remembered failures. A limit is needed because records of unknown senders may contain any number of
ids.
"""
_ADVICE = {
    401: "check EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY and _API_SECRET",
    403: "the user of EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY has no right to this",
    _NOT_FOUND: "nothing of that name or id; check EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL",
    _CONFLICT: "the subject's compatibility level forbids this change of the class: give a new field default=None, or "
    "set the subject's level to NONE in the registry until the new version is registered",
    422: "the registry refuses the schema",
}
_ABOUT_THE_SCHEMA = frozenset({_CONFLICT, 422})
"""
HTTP statuses with which a registry refuses a schema for good, if Confluent's error code begins with the same digits.
Any other error may be temporary, because it may come from proxies, login pages, quotas, or credentials that are being
rotated.
"""
_ALL = ""
"""The key in ``SchemaRegistry._failures`` under which a failure that concerns all requests is kept."""
_LONGEST_REASON = 300
"""Maximum number of characters of a failure's reason, because some registries quote both schemas in the reason."""


_THREAD = "event-bus-registry"


def _is_of_others(_: logging.LogRecord) -> bool:
    return threading.current_thread().name != _THREAD


for _name in ("httpx", "httpx2"):  # log each request and its URL at level INFO; RegistryFailed reports failures
    logging.getLogger(_name).addFilter(_is_of_others)


class SchemaRegistry:
    """
    Returns the id of a schema, and the schema of an id. Both are cached, because the registry never reuses an id.

    ``timeout``: maximum seconds for one request, whatever the network does. ``register``: whether unknown schemas are
    registered.

    ``backoff``: seconds for which requests fail at once after a failure. If the registry has failed, all requests fail.
    If it has refused one schema or id, only requests for this schema or id fail. After the backoff one request is sent;
    until it is answered, or another backoff has passed, requests of other threads still fail at once. Threads that ask
    for the same schema or id at the same time share one request.
    """

    def __init__(
        self,
        options: dict[str, Any],
        *,
        timeout: float,
        register: bool,
        backoff: float = 0.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        try:
            self._client = SchemaRegistryClient(options)
        except (TypeError, ValueError, OSError) as error:
            raise ConfigurationError(f"The schema registry's options are wrong: {error}.") from error
        self._timeout = timeout
        self._register = register
        self._backoff = backoff
        self._clock = clock
        self._ids: dict[tuple[str, str], int] = {}
        self._schemas: KeptSchemas[str] = KeptSchemas()
        self._requests: dict[Hashable, Future[Any]] = {}
        """
        Schema or id → the request for this schema or id, which may already be answered. Lanes that ask for the same
        schema share one request, so that no lane waits for a time-out while another lane already has the answer.
        """
        self._failures: dict[Hashable, tuple[SchemaRegistryError, float]] = {}
        """Schema, id or ``_ALL`` → the last failure, and the monotonic time until which the failure is raised again."""

    def id_of(self, subject: str, schema: str, until: float = inf) -> int:
        """
        Return the id of a schema (JSON text) under a subject; wait at most until the monotonic time ``until``.

        Raises :class:`SchemaRegistryError`.
        """
        known = self._ids.get((subject, schema))
        if known is not None:
            return known
        avro = Schema(schema, "AVRO")
        what = f"{'registering' if self._register else 'looking up'} {subject}"
        if (seconds := until - self._clock()) <= 0:  # not an error of the registry: no backoff
            raise SchemaRegistryError(f"{what}: the caller's time limit is over", retriable=True)

        def learn() -> int:  # a late answer still serves the next caller
            return self._ids.setdefault((subject, schema), _id(self._answer(subject, avro)))

        return self._ask(what, (subject, schema), learn, seconds)

    def schema_of(self, schema_id: int) -> str:
        """Return the schema with the id ``schema_id`` as JSON text. Raises :class:`SchemaRegistryError`."""
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        what = f"schema {schema_id}"
        try:
            text = self._ask(what, schema_id, lambda: _text(what, self._client.get_schema(schema_id)))
        finally:
            self._client.clear_caches()  # type: ignore[no-untyped-call]  # it would cache without a limit
        self._requests.pop(schema_id, None)
        return self._schemas.keep(schema_id, text, text)

    def close(self) -> None:
        """Close the connections; do not use the object afterwards."""
        self._client.close()

    def _answer(self, subject: str, schema: Schema) -> Any:
        if self._register:
            try:
                return self._client.register_schema(subject, schema)
            except ClientError as error:
                if error.http_status_code != _CONFLICT:
                    raise  # with a conflict Apicurio also refuses the second of two simultaneous first registrations
                return self._client.register_schema(subject, schema)
        return self._client.lookup_schema(subject, schema).schema_id

    def _ask(self, what: str, name: Hashable, request: Callable[[], T], seconds: float = inf) -> T:
        # `name` first: a request for it, if refused, must not use up the single request that ends a backoff of all.
        self._refuse_in_backoff(name)
        self._refuse_in_backoff(_ALL)

        def asked() -> T:
            found = request()
            self._failures.pop(_ALL, None)  # even a late answer shows that the registry works
            self._failures.pop(name, None)
            return found

        mine: Future[T] = Future()
        began = self._clock()
        shared = self._requests.setdefault(name, mine)
        try:
            if shared is mine:
                # HTTP time-outs apply to each read, and DNS has none: a slow registry could take for ever
                answer(mine, asked, _THREAD)
            answered: T = shared.result(min(self._timeout, seconds))
        except Exception as error:  # noqa: BLE001 a client, a proxy or a broken answer may cause any error
            if self._requests.get(name) is shared:
                self._requests.pop(name, None)  # others must be able to ask again if this request hangs
            let_through(error)
            if shared is mine:
                tallies.took(REGISTRY_REQUESTS, ("failed",), self._clock() - began)
            raise self._failed(what, name, error) from None
        if shared is mine:
            tallies.took(REGISTRY_REQUESTS, ("done",), self._clock() - began)
        return answered

    def _refuse_in_backoff(self, name: Hashable) -> None:
        failure = self._failures.get(name)
        if failure is None:
            return
        last, until = failure
        if self._clock() < until:  # a new object: each raise would add its frames, with event data, to the old one
            raise SchemaRegistryError(last.reason, status=last.status, retriable=last.retriable)
        self._failures[name] = last, self._clock() + self._backoff

    def _failed(self, what: str, name: Hashable, error: Exception) -> EventBusError:
        failure = to_registry_error(what, error, self._timeout)
        if len(self._failures) >= _MOST_KEPT:
            self._failures.clear()
        self._failures[_ALL if failure.retriable else name] = failure, self._clock() + self._backoff
        if not failure.retriable:
            self._failures.pop(_ALL, None)  # the registry has answered
        emit(RegistryFailed(error=failure, retriable=failure.retriable))
        return failure


def to_registry_error(what: str, error: Exception, timeout: float) -> SchemaRegistryError:
    """Convert any exception of the client to :class:`SchemaRegistryError`. ``what`` describes the request."""
    if isinstance(error, SchemaRegistryError):
        return error
    if isinstance(error, ClientError):
        status, code = error.http_status_code, error.error_code
        refused = status in _ABOUT_THE_SCHEMA and str(code).startswith(str(status))
        unknown = status == _NOT_FOUND and code in _UNKNOWN
        advice = f"; {_ADVICE[status]}" if status in _ADVICE else ""
        reason = f" ({str(error.error_message)[:_LONGEST_REASON]})" if refused else ""
        retriable = not (refused or unknown)
        return SchemaRegistryError(f"{what}: HTTP {status}{reason}{advice}", status=status, retriable=retriable)
    if isinstance(error, TimeoutError):
        return SchemaRegistryError(f"{what}: no answer within {timeout:g} s", retriable=True)
    return SchemaRegistryError(f"{what}: {type(error).__name__}: {error}", retriable=True)


def _id(answer: Any) -> int:
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer <= _HIGHEST_ID:
        raise TypeError("the registry sent no schema id")
    return answer


def _text(what: str, answer: Schema) -> str:
    if not isinstance(answer.schema_str, str):
        raise TypeError("the registry sent no schema")
    if answer.schema_type != "AVRO":  # other kinds of schema have other rules of compatibility
        raise SchemaRegistryError(f"{what} is not of type AVRO", retriable=False)
    return answer.schema_str
