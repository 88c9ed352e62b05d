"""All receivers of an event are called, and their failures are collected."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial, wraps
from typing import Any

import pytest
from asgiref.sync import markcoroutinefunction
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.dead_letters.letter import Failure
from event_bus_kafka.dispatching.dispatch import Receiver, dispatch
from event_bus_kafka.dispatching.rejections import note_rejection
from event_bus_kafka.errors import ReceiverMismatch
from event_bus_kafka.telemetry import emit, observe, unobserve
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import EventRejected
from event_bus_kafka.wire.records import Event
from tests.support.examples_of import certificate


def event() -> Event:
    metadata = EventsMetadata(event_type=CERTIFICATE_CREATED.event_type)
    return Event(signal=CERTIFICATE_CREATED, data={"certificate": certificate()}, metadata=metadata)


def test_a_callable_is_awaited_if_it_is_marked_as_a_coroutine_function() -> None:
    """
    Wrappers and callable objects may be marked as coroutine functions. In Python 3.11, the module ``inspect`` ignores
    this mark.
    """
    ran: list[int] = []

    async def receive(**_: Any) -> None:
        ran.append(1)

    wrapped = markcoroutinefunction(lambda **arguments: receive(**arguments))
    assert dispatch(event(), [Receiver(wrapped)]) == []
    assert ran == [1]


def test_a_receiver_gets_the_arguments_of_openedx_events_and_a_flag_that_the_event_came_from_the_bus() -> None:
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
def test_a_misnamed_argument_of_a_receiver_is_named_in_the_failure(call: Any) -> None:
    ((_, error),) = dispatch(event(), [Receiver(call)])
    assert isinstance(error, ReceiverMismatch)
    assert str(error).startswith("missing a required argument: 'book'; the event comes with certificate, and with ")


def test_an_unexpected_argument_is_named_in_the_failure_of_a_receiver_without_kwargs() -> None:
    ((_, error),) = dispatch(event(), [Receiver(closed)])
    assert str(error).startswith("got an unexpected keyword argument 'signal'; the event comes with certificate")


@pytest.mark.parametrize("call", [len, int])
def test_a_callable_without_a_signature_fails_with_a_type_error(call: Any) -> None:
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
def test_a_type_error_raised_inside_a_receiver_is_reported_unchanged(call: Any) -> None:
    ((_, error),) = dispatch(event(), [Receiver(call)])
    assert type(error) is TypeError


def test_s4_a_receiver_fails_if_an_event_that_it_emits_is_rejected() -> None:
    """
    The receiver gets no exception when its event is rejected. If the receiver did not fail, the offset of the received
    event would be committed.
    """

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


class Log:
    """Notes each run of ``method``. The receivers in ``WAYS`` call ``method``, each in a different asynchronous way."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def method(self, **_: Any) -> None:
        await asyncio.sleep(0)
        self.ran.append("method")

    async def __call__(self, **_: Any) -> None:
        await self.method()

    def decorated(self) -> Callable[..., Any]:
        return wraps(self.method)(lambda **arguments: self.method(**arguments))

    def undecorated(self, **arguments: Any) -> Awaitable[None]:
        return self.method(**arguments)

    def future(self, **arguments: Any) -> Awaitable[None]:
        class Later:
            def __await__(_) -> Any:  # noqa: N805
                return self.method(**arguments).__await__()

        return Later()


WAYS = {
    "an async method": lambda log: log.method,
    "an object with an async __call__": lambda log: log,
    "a plain decorator around an async method": lambda log: log.decorated(),
    "a function that returns a coroutine": lambda log: log.undecorated,
    "a function that returns an awaitable object": lambda log: log.future,
    "a partial of an async method": lambda log: partial(log.method),
    "a partial of an object with an async __call__": lambda log: partial(log),
    "a partial of a decorated async method": lambda log: partial(log.decorated(), extra=1),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_c10_an_awaitable_returned_by_a_receiver_is_awaited(way: Callable[[Log], Any]) -> None:
    """
    If the awaitable were not awaited, the offset would be committed although the code of the receiver did not run.
    """
    log = Log()
    assert dispatch(event(), [Receiver(way(log))]) == []
    assert log.ran == ["method"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_c10_a_receiver_fails_if_it_returns_an_awaitable_inside_a_running_event_loop(way: Callable[[Log], Any]) -> None:
    """The awaitable cannot be awaited, because a thread with a running event loop cannot start a second event loop."""
    log, receiver = Log(), Receiver(lambda **_: None)

    async def dispatched() -> Any:
        return dispatch(event(), [Receiver(way(log)), receiver])

    ((failed, error),) = asyncio.run(dispatched())
    assert (type(error), log.ran, failed is receiver) == (RuntimeError, [], False)
    gc.collect()  # a coroutine that was never awaited would warn now


def test_c10_a_receiver_fails_if_it_returns_a_future_of_another_event_loop() -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    try:
        ((_, error),) = dispatch(event(), [Receiver(lambda **_: future)])
    finally:
        loop.close()
    assert type(error) is RuntimeError


def test_c10_a_receiver_that_is_a_generator_function_counts_as_failed() -> None:
    """If a function contains ``yield``, a call of the function does not run its code."""

    def generator(**_: Any) -> Iterator[None]:
        yield

    async def asynchronous(**_: Any) -> AsyncIterator[None]:
        yield

    failed = dispatch(event(), [Receiver(generator), Receiver(asynchronous)])
    assert [error_text(error).split(",")[0] for _, error in failed] == [
        "ReceiverNotRun: it returned a generator",
        "ReceiverNotRun: it returned a async_generator",
    ]


def test_a_receiver_fails_if_its_coroutine_raises_an_exception() -> None:
    async def fail(**_: Any) -> None:
        raise KeyError

    ((_, error),) = dispatch(event(), [Receiver(partial(lambda **arguments: fail(**arguments)))])
    assert type(error) is KeyError


async def cancelled(**_: Any) -> None:
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


def odd(**_: Any) -> None:
    raise type("Odd", (BaseException,), {})("learner@example.com")


@pytest.mark.parametrize(("call", "name", "place"), [(cancelled, "CancelledError", "sleep"), (odd, "Odd", "odd")])
def test_c11_the_next_receiver_runs_after_a_receiver_failed_with_a_base_exception(
    call: Callable[..., Any], name: str, place: str
) -> None:
    """
    If the package did not catch the exception, the worker would end, and would get the same record again after each
    restart.
    """
    ran: list[int] = []
    ((receiver, error),) = dispatch(event(), [Receiver(call), Receiver(lambda **_: ran.append(1))])
    assert (receiver.call, ran) == (call, [1])
    assert error_text(error) == f"ReceiverInterrupted: it raised {name}, which is no Exception"
    assert Failure.of(error, "a.receiver").place.endswith(f"in {place}")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("is_async", [False, True])
def test_c11_a_system_exit_or_keyboard_interrupt_or_generator_exit_of_a_receiver_is_not_caught(
    kind: type[BaseException], is_async: bool
) -> None:

    def end(**_: Any) -> None:
        raise kind

    async def end_later(**_: Any) -> None:
        raise kind

    with pytest.raises(kind):
        dispatch(event(), [Receiver(end_later if is_async else end)])


def test_ctrl_c_during_a_coroutine_raises_keyboard_interrupt() -> None:
    """If KeyboardInterrupt counted as a failure of the receiver, Ctrl-C would not stop a replay."""
    over = threading.Event()

    async def receive(**_: Any) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        over.wait(10)

    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            dispatch(event(), [Receiver(receive)])
    finally:
        over.set()
        signal.signal(signal.SIGINT, former)


def test_a_receiver_fails_if_it_raises_an_exception_whose_truth_value_is_false() -> None:
    """The exception is an empty collection of errors, so ``bool()`` of the exception returns False."""

    class Errors(Exception):
        def __len__(self) -> int:
            return 0

    def fail(**_: Any) -> None:
        raise Errors

    ((_, error),) = dispatch(event(), [Receiver(fail)])
    assert type(error) is Errors
