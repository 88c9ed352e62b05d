"""The inbox, with which a receiver changes a database once per event, even if the event arrives several times."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from inspect import iscoroutine
from typing import Any, ParamSpec, TypeVar, overload
from uuid import UUID

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction
from openedx_events.data import EventsMetadata

from event_bus_kafka.dispatching.dispatch import Receiver, is_unfinished, receivers_of, signals
from event_bus_kafka.dispatching.rejections import Rejections
from event_bus_kafka.errors import ConfigurationError, ReceiverNotRun
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import DuplicateSkipped

P = ParamSpec("P")
R = TypeVar("R")

_APP = "event_bus_kafka"
_aliases: set[str] = set()


class _Duplicate(Exception):
    """Raised to roll back the transaction if the receiver has already processed the event."""


@overload
def once(receiver: Callable[P, R], /) -> Callable[P, R | None]: ...


@overload
def once(*, using: str = ...) -> Callable[[Callable[P, R]], Callable[P, R | None]]: ...


def once(receiver: Callable[..., Any] | None = None, /, *, using: str = DEFAULT_DB_ALIAS) -> Any:
    """
    Commit a receiver's changes in a database only once per event. The id in the event's metadata identifies the event.

    ::

        @receiver(CERTIFICATE_CREATED)
        @once
        def award(certificate, **kwargs): ...

    The receiver runs in a transaction on the database ``using``. The same transaction inserts a mark for the receiver
    and the event. So the mark and the receiver's changes in this database are committed together or not at all. If the
    mark already exists, the receiver does not run. If another thread or process is running the receiver for the same
    event, this call waits until the other transaction ends. After this wait the receiver runs only if the other
    transaction was rolled back.

    The mark contains the receiver's name, ``module.qualname``. A call without metadata, or without the inbox's table,
    raises :class:`ConfigurationError`. Decorating an async function, a lambda, a callable object, or a receiver that is
    already connected raises TypeError. The call also raises an exception, and the transaction is rolled back, if the
    receiver returns a coroutine or generator, or if an event that the receiver sends is rejected.
    """
    if receiver is None:
        return partial(_wrapped, using=using)
    return _wrapped(receiver, using=using)


def aliases() -> frozenset[str]:
    """Return the aliases of the databases in which this process's receivers under ``once`` make their marks."""
    return frozenset(_aliases)


def is_migrated(alias: str) -> bool:
    """Return whether a database has the inbox's table. Raises a database error if the database does not answer."""
    return bool(_presence().has_tables(connections[alias], _model()))


def _wrapped(receiver: Callable[P, R], *, using: str) -> Callable[P, R | None]:
    _refuse_misuse(receiver)
    name = Receiver(receiver).name
    _aliases.add(using)

    @wraps(receiver)
    def receive_once(*args: P.args, **arguments: P.kwargs) -> R | None:
        metadata = arguments.get("metadata")
        if not isinstance(metadata, EventsMetadata):
            raise ConfigurationError(
                f"{name} is under once(), which needs the event's metadata: send its signal with send_event(), or call "
                "it with metadata=EventsMetadata(…)."
            )
        _require_table(using)
        try:
            with transaction.atomic(using=using):
                _mark(name, metadata.id, using)
                with Rejections() as rejected:
                    result = receiver(*args, **arguments)
                if is_unfinished(result):  # it would run after the commit of the mark
                    result.close() if iscoroutine(result) else None
                    raise ReceiverNotRun(type(result).__name__)
                if rejected:  # before the commit of the mark: otherwise the event would never be emitted
                    raise rejected[0]
                return result
        except _Duplicate:
            emit(DuplicateSkipped(receiver=name, event_type=metadata.event_type, event_id=str(metadata.id)))
            return None

    return receive_once


def _refuse_misuse(receiver: Callable[..., Any]) -> None:
    qualname = getattr(receiver, "__qualname__", "<object>")
    if iscoroutinefunction(receiver):
        raise TypeError(f"once() cannot wrap {qualname}: transactions of Django are not for async functions.")
    if "<lambda>" in qualname or qualname == "<object>":
        raise TypeError("once() wraps only functions that have a name: the inbox stores the name.")
    if any(one.call is receiver for signal in signals() for one in receivers_of(signal)):
        raise TypeError(f"{qualname} is connected already, without once(): write @once below @receiver(…).")


def _mark(receiver: str, event_id: UUID, alias: str) -> None:
    try:
        _model().objects.using(alias).mark(receiver, event_id)
    except IntegrityError:
        raise _Duplicate from None


def _require_table(alias: str) -> None:
    """
    Raise :class:`ConfigurationError` if the table is missing, because the error of the INSERT would not say what to do.
    """
    if not apps.is_installed(_APP):
        raise ConfigurationError("once() needs 'event_bus_kafka' in INSTALLED_APPS, and its migrations.")
    if not _presence().were_found(connections[alias], _model()):
        raise ConfigurationError(
            f"The inbox is missing in database {alias!r}: run manage.py migrate --database {alias}; a database router "
            "must allow event_bus_kafka there."
        )


def _model() -> Any:
    return import_module("event_bus_kafka.models").InboxMark  # only if the app is installed


def _presence() -> Any:
    return import_module("event_bus_kafka.models.presence")  # as above
