"""An event goes to its receivers."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest
from asgiref.sync import markcoroutinefunction
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.dispatching.dispatch import Receiver, dispatch
from event_bus_kafka.dispatching.rejections import note_rejection
from event_bus_kafka.errors import ReceiverMismatch
from event_bus_kafka.telemetry import emit, observe, unobserve
from event_bus_kafka.telemetry.events import EventRejected
from event_bus_kafka.wire.records import Event
from tests.support.examples_of import certificate


def event() -> Event:
    metadata = EventsMetadata(event_type=CERTIFICATE_CREATED.event_type)
    return Event(signal=CERTIFICATE_CREATED, data={"certificate": certificate()}, metadata=metadata)


def test_a_receiver_that_is_only_marked_as_async_is_awaited() -> None:
    """Wrappers and callable objects are; Python 3.11's inspect does not know the mark."""
    ran: list[int] = []

    async def receive(**_: Any) -> None:
        ran.append(1)

    wrapped = markcoroutinefunction(lambda **arguments: receive(**arguments))
    assert dispatch(event(), [Receiver(wrapped)]) == []
    assert ran == [1]


def test_a_receiver_gets_what_openedx_events_would_give_it_and_is_told_where_it_came_from() -> None:
    got: list[dict[str, Any]] = []
    one = event()
    assert dispatch(one, [Receiver(lambda **arguments: got.append(arguments))]) == []
    (arguments,) = got
    assert arguments.pop("from_event_bus") is True, "a receiver that sends events on would send it in circles"
    assert arguments == {"signal": one.signal, "sender": None, "metadata": one.metadata, **one.data}


def misnamed(book: Any, **_: Any) -> None: ...


def closed(certificate: Any) -> None: ...


@wraps(misnamed)
def decorated(**arguments: Any) -> None:
    misnamed(**arguments)


async def in_a_coroutine(book: Any, **_: Any) -> None: ...


class WithAMethod:
    def receive(self, book: Any, **_: Any) -> None: ...


@pytest.mark.parametrize("call", [misnamed, decorated, in_a_coroutine, WithAMethod().receive])
def test_a_receiver_with_a_wrong_argument_is_told_which(call: Any) -> None:
    ((_, error),) = dispatch(event(), [Receiver(call)])
    assert isinstance(error, ReceiverMismatch)
    assert str(error).startswith("missing a required argument: 'book'; the event comes with certificate, and with ")


def test_a_receiver_that_takes_too_little_is_told_what_comes() -> None:
    ((_, error),) = dispatch(event(), [Receiver(closed)])
    assert str(error).startswith("got an unexpected keyword argument 'signal'; the event comes with certificate")


@pytest.mark.parametrize("call", [len, int])
def test_a_callable_that_has_no_signature_or_another_error_keeps_it(call: Any) -> None:
    ((_, error),) = dispatch(event(), [Receiver(call)])
    assert isinstance(error, TypeError)


def fails(certificate: Any, **_: Any) -> None:
    raise TypeError(certificate.user.pii.email)


@wraps(misnamed)
def adapted(certificate: Any, **_: Any) -> None:
    fails(certificate)


class Proxy:
    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, **_: Any) -> None:
        raise TypeError


@pytest.mark.parametrize("call", [fails, adapted, Proxy()])
def test_a_receivers_own_type_error_stays_its_own(call: Any) -> None:
    ((_, error),) = dispatch(event(), [Receiver(call)])
    assert type(error) is TypeError


def test_an_event_that_a_receiver_emits_and_that_is_rejected_is_its_failure_in_a_coroutine_too() -> None:
    """S4: whoever emits hears of nothing, and the offset of what led to it would be committed."""

    def reject(**_: Any) -> None:
        emit(EventRejected(topic="t", event_type="a.type", event_id="1", error=ValueError("secret")))

    async def reject_later(**_: Any) -> None:
        reject()

    receivers = [Receiver(reject), Receiver(lambda **_: None), Receiver(reject_later)]
    observe(note_rejection, EventRejected)
    try:
        failed = dispatch(event(), receivers)
        reject()
    finally:
        unobserve(note_rejection)
    assert [receiver for receiver, _ in failed] == [receivers[0], receivers[2]]
    assert {str(error) for _, error in failed} == {"it emitted an event of type a.type that was rejected: ValueError"}
