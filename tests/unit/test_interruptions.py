"""
If a signal handler raises an exception while an event is sent, the code that sends the event gets this exception. The
exception does not count as a failure of the event bus.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any, NoReturn

import pytest
from django.db import connection, transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka import create_producer
from event_bus_kafka.interruptions import interruption_in
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import CallbackFailed, EventRejected, EventSpilled, RegistryFailed
from tests.flows.test_sending import send_by, until
from tests.services.bus import SandboxBus
from tests.services.silence import black_hole
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched


class Stop(Exception):
    """An exception that the service defines, not this package."""


class SoftTimeLimitExceeded(Exception):
    """An exception with the same name as celery's."""


def soft_timeout_sighandler(number: int, frame: object) -> NoReturn:
    raise SoftTimeLimitExceeded


class Host:
    def stop(self, *_: object) -> NoReturn:
        raise Stop

    __call__ = stop


def stop(_: str, number: int, frame: object) -> NoReturn:
    raise Stop


HANDLERS: dict[str, Callable[..., object]] = {
    "a function": lambda *_: Host().stop(),
    "a method": Host().stop,
    "a partial": partial(stop, "now"),
    "an object": Host(),
}


@contextmanager
def handled_by(handler: Callable[..., object]) -> Iterator[None]:
    former = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, former)


def interrupt(*_: object, **__: object) -> None:
    signal.raise_signal(signal.SIGUSR1)


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_an_exception_of_a_signal_handler_is_found_inside_the_exception_that_wraps_it(
    handler: Callable[..., object],
) -> None:
    with handled_by(handler):
        with pytest.raises(ValueError, match="wrapped") as caught:
            try:
                interrupt()
            except Stop as error:
                raise ValueError("wrapped") from error
        assert isinstance(interruption_in(caught.value), Stop)


def test_an_exception_is_not_an_interruption_if_it_was_raised_outside_a_signal_handler() -> None:
    with handled_by(soft_timeout_sighandler):
        with pytest.raises(SoftTimeLimitExceeded) as caught:
            raise SoftTimeLimitExceeded
        assert interruption_in(caught.value) is None


@pytest.fixture
def file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        yield file


def test_celerys_soft_time_limit_stops_a_task_that_waits_for_the_registry_and_its_event_is_spilled(
    sandbox: Sandbox, file: Path
) -> None:
    patient = {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 120, "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 120}
    with black_hole() as address, handled_by(soft_timeout_sighandler):
        silent = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{address}"}
        with override_settings(**SandboxBus(sandbox).settings("t") | patient | silent):
            limit = Timer(1, os.kill, [os.getpid(), signal.SIGUSR1])
            with watched(EventRejected, EventSpilled, RegistryFailed) as seen:
                limit.start()
                with pytest.raises(SoftTimeLimitExceeded):
                    send_by(create_producer(), "t")
                until(lambda: bool(seen))
    assert [type(event) for event in seen] == [EventSpilled]
    assert OutboxRecord.objects.count() == 1


def test_celerys_soft_time_limit_during_an_insert_into_the_outbox_stops_the_task_and_reports_no_failure(
    sandbox: Sandbox, file: Path
) -> None:
    def interrupted(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT"):
            interrupt()
        return execute(sql, *arguments)

    outbox = {"EVENT_BUS_PRODUCER_MODE": "outbox"}
    with override_settings(**SandboxBus(sandbox).settings("t") | outbox), watched() as seen:
        with handled_by(soft_timeout_sighandler), pytest.raises(SoftTimeLimitExceeded):
            with transaction.atomic(), connection.execute_wrapper(interrupted):
                send_by(create_producer(), "t")
    assert seen == []
    assert not OutboxRecord.objects.exists()


def test_celerys_soft_time_limit_in_an_observer_stops_the_task_and_is_not_reported_as_a_failed_callback(
    sandbox: Sandbox, file: Path
) -> None:
    outbox = {"EVENT_BUS_PRODUCER_MODE": "outbox"}
    observe(interrupt)
    try:
        with override_settings(**SandboxBus(sandbox).settings("t") | outbox), handled_by(soft_timeout_sighandler):
            with watched(CallbackFailed) as seen, pytest.raises(SoftTimeLimitExceeded):
                send_by(create_producer(), "t")
    finally:
        unobserve(interrupt)
    assert seen == []


def test_ctrl_c_during_a_send_raises_keyboard_interrupt_and_spills_the_event(sandbox: Sandbox, file: Path) -> None:
    with black_hole() as address, handled_by(signal.default_int_handler):
        silent = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{address}", "EVENT_BUS_KAFKA_SEND_TIMEOUT": 120}
        with override_settings(**SandboxBus(sandbox).settings("t") | silent), watched(EventSpilled) as seen:
            Timer(1, os.kill, [os.getpid(), signal.SIGUSR1]).start()
            with pytest.raises(KeyboardInterrupt):
                send_by(create_producer(), "t")
            until(lambda: bool(seen))
    assert OutboxRecord.objects.count() == 1
