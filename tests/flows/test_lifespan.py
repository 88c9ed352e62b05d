"""
The ASGI lifespan wrapper answers the server's messages, and sends all events to Kafka before the server ends (case
S16).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings

from event_bus_kafka.asgi import Application, Receive, Send, lifespan
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import RecordDelivered
from tests.flows.test_sending import send_by
from tests.services.bus import SandboxBus
from tests.support.sending import own_producer
from tests.support.watching import watched

ENDING = ("lifespan.startup", "lifespan.shutdown")


def told(application: Application, *messages: str, kind: str = "lifespan") -> list[str]:
    """
    Run an application under a server that sends ``messages`` to it; return the messages that the application sends to
    the server.
    """
    coming, heard = iter(messages), list[str]()

    async def receive() -> dict[str, Any]:
        return {"type": next(coming)}

    async def send(message: Any) -> None:
        heard.append(message["type"])

    asyncio.run(lifespan(application)({"type": kind}, receive, send))  # type: ignore[arg-type]
    return heard


@pytest.fixture
def django() -> Any:
    return get_asgi_application()


def test_startup_and_shutdown_complete_even_if_the_application_raises_for_lifespan_messages(django: Any) -> None:
    assert told(django, *ENDING) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_startup_and_shutdown_complete_even_if_the_application_ignores_lifespan_messages() -> None:
    async def ignoring(scope: Any, receive: Receive, send: Send) -> None:
        """An application that ignores lifespan messages, as applications that handle only requests do."""

    assert told(ignoring, *ENDING) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_sent_events_are_in_kafka_before_the_server_ends(sandbox: Sandbox, django: Any) -> None:
    lingers = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.ms": 1_000}, "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 60}
    with override_settings(**SandboxBus(sandbox).settings("t", **lingers)), own_producer() as producer:
        with watched(RecordDelivered) as seen:
            send_by(producer, "t")
            assert told(django, *ENDING)[-1] == "lifespan.shutdown.complete"
            assert len(seen) == 1
            send_by(producer, "t")  # as under a test client, where the process continues afterwards
            producer.prepare_for_shutdown()
        assert len(seen) == 2


def test_lifespan_messages_reach_an_application_that_supports_them() -> None:
    order: list[str] = []

    async def supporting(scope: Any, receive: Receive, send: Send) -> None:
        for _ in ENDING:
            message = await receive()
            order.append(message["type"])
            await send({"type": f"{message['type']}.complete"})

    assert told(supporting, *ENDING) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert order == list(ENDING)


def test_an_exception_of_the_application_at_startup_reaches_the_server() -> None:
    async def broken(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        told(broken, *ENDING)


def test_an_exception_of_an_http_request_reaches_the_server() -> None:
    async def broken(scope: Any, receive: Receive, send: Send) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        told(broken, kind="http")


def test_the_asgi_module_can_be_imported_before_django_is_set_up() -> None:
    code = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'test_settings'; import event_bus_kafka.asgi"
    subprocess.run([sys.executable, "-c", code], check=True)
