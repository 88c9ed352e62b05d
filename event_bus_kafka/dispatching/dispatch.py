"""Calls the receivers of an event's signal; the failure of one receiver does not affect the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from inspect import (
    CORO_CREATED,
    getcoroutinestate,
    isasyncgen,
    isawaitable,
    iscoroutine,
    isgenerator,
    signature,
    unwrap,
)
from typing import Any
from weakref import ReferenceType

import attrs
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.dispatch.dispatcher import NONE_ID
from openedx_events.apps import general_signal_handler
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.dispatching.rejections import Rejections
from event_bus_kafka.errors import ReceiverInterrupted, ReceiverMismatch, ReceiverNotRun, ReceiversFailed
from event_bus_kafka.wire.deletion import record_deleted
from event_bus_kafka.wire.records import Event


@attrs.define(unsafe_hash=True)
class Receiver:
    """A function connected to a signal. Immutable by convention; the class does not enforce it."""

    call: Callable[..., Any]
    dispatch_uid: str | None = None

    @property
    def name(self) -> str:
        """
        The receiver's name in dead letters and logs: ``module.qualname``. If the receiver has a ``dispatch_uid``,
        ``#dispatch_uid`` follows.
        """
        call = self.call
        named = call if hasattr(call, "__qualname__") else getattr(call, "func", type(call))
        name = f"{named.__module__}.{getattr(named, '__qualname__', type(named).__qualname__)}"
        return f"{name}#{self.dispatch_uid}" if self.dispatch_uid else name


Failures = list[tuple[Receiver, Exception]]


def signals() -> tuple[OpenEdxPublicSignal, ...]:
    """Return all signals that a receiver may be connected to, ``record_deleted`` included."""
    return *OpenEdxPublicSignal.all_events(), record_deleted


def receiver_names() -> frozenset[str]:
    """Return the names of all receivers in this process, of all signals."""
    return frozenset(one.name for signal in signals() for one in receivers_of(signal))


def signal_named(event_type: str) -> OpenEdxPublicSignal | None:
    """
    Return the signal for the event type of a dead letter, ``record_deleted`` included; None if this service has none.
    """
    return record_deleted if event_type == record_deleted.event_type else registered_signal(event_type)


def registered_signal(event_type: str) -> OpenEdxPublicSignal | None:
    """Return the signal of an event type; None if this service has none."""
    try:
        return OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError:
        return None


def receivers_of(signal: OpenEdxPublicSignal) -> list[Receiver]:
    """
    Return the receivers of a signal, in the order in which they were connected. Async receivers come last, as in
    Django.

    Receivers that are connected for one sender are left out, because events from the bus have no sender. The handler
    with which openedx-events sends events to the bus is left out, because it ignores events that came from the bus.
    """
    found = []
    for entry in list(signal.receivers):  # a copy, because other threads connect and disconnect receivers
        uid, sender = entry[0]
        reference = entry[1]
        call = reference() if isinstance(reference, ReferenceType) else reference
        if call is not None and sender == NONE_ID and call is not general_signal_handler:
            found.append(Receiver(call, uid if isinstance(uid, str) else None))
    return sorted(found, key=_is_async) if len(found) > 1 else found


def is_enabled(signal: OpenEdxPublicSignal) -> bool:
    """Return whether openedx-events allows this service to send the signal."""
    return bool(signal._allow_events)


def dispatch(
    event: Event,
    receivers: list[Receiver],
    *,
    before_each: Callable[[Receiver], None] = lambda _: None,
    after_each: Callable[[], Exception | None] = lambda: None,
) -> Failures:
    """
    Call the receivers with the arguments that openedx-events would pass. Return the receivers that failed, with their
    exceptions.

    The arguments are not checked, because the codec has bound them to the signal's parameters. A receiver also fails if
    ``after_each`` returns an exception, or if an event that the receiver emits is rejected. Never raises, except
    SystemExit, KeyboardInterrupt and GeneratorExit.
    """
    failed: Failures = []
    for receiver in receivers:
        before_each(receiver)
        with Rejections() as rejected:
            error = _call(receiver, event)
        left = after_each()
        if error is not None or left is not None or rejected:  # not `error or left`: an exception object may be falsy
            failed.append((receiver, next(one for one in (error, left, *rejected) if one is not None)))
    return failed


def failure_of(failed: Iterable[tuple[Receiver, Exception]]) -> ReceiversFailed:
    """Return one error that contains all failures."""
    receivers, errors = zip(*failed, strict=True)
    return ReceiversFailed(names_of(receivers), errors)


def names_of(receivers: Iterable[Receiver]) -> list[str]:
    """Return the names of receivers, as in dead letters and logs."""
    return [receiver.name for receiver in receivers]


def _call(receiver: Receiver, event: Event) -> Exception | None:
    about = {"signal": event.signal, "sender": None, "metadata": event.metadata, "from_event_bus": True}
    try:
        result = receiver.call(**about, **event.data)
        if result is not None:
            _finish(result)
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except TypeError as error:
        return _mismatch(receiver.call, error, about, event.data) or error
    except BaseException as error:  # noqa: BLE001 a failing receiver must not stop the other receivers or the worker
        return error if isinstance(error, Exception) else ReceiverInterrupted.by(error)
    return None


def is_unfinished(result: object) -> bool:
    """Return whether a receiver returned an object that still has to be run, such as a coroutine or a generator."""
    return isawaitable(result) or isgenerator(result) or isasyncgen(result)


def _finish(result: object) -> None:
    """
    Await the result of a receiver if it is awaitable, such as the coroutine of an ``async def`` receiver. Raises
    :class:`ReceiverNotRun` for a generator. Other results are ignored.
    """
    if isawaitable(result):
        try:
            async_to_sync(_awaited)(result)
        finally:
            if iscoroutine(result) and getcoroutinestate(result) == CORO_CREATED:  # such as in an event loop
                result.close()  # otherwise Python warns that it was never awaited
    elif is_unfinished(result):
        raise ReceiverNotRun(type(result).__name__)


async def _awaited(result: Awaitable[object]) -> None:
    await result


def _mismatch(
    call: Callable[..., Any], error: TypeError, about: dict[str, Any], data: dict[str, Any]
) -> ReceiverMismatch | None:
    """
    Return an error if the arguments do not fit the signature of the receiver, or of the function that the receiver
    wraps; otherwise None.

    The error names the arguments, but contains no values.
    """
    try:
        inner = unwrap(call)
        taken = [signature(call, follow_wrapped=False)]
        if str(error).startswith(f"{inner.__qualname__}() "):  # Python's text for a call with wrong arguments
            taken.append(signature(inner))
    except Exception:  # noqa: BLE001 a proxy may raise anything; a callable may have no signature
        return None
    for one in taken:
        try:
            one.bind(**about, **data)
        except TypeError as reason:
            mismatch = ReceiverMismatch(str(reason), list(data))
            mismatch.__cause__ = error
            return mismatch.with_traceback(error.__traceback__)
    return None


def _is_async(receiver: Receiver) -> bool:
    return iscoroutinefunction(receiver.call)
