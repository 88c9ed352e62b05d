"""
Flushes sent events when an ASGI server stops. This is needed for servers that run no ``atexit`` hooks. For example,
Uvicorn ends its own process by the signal that it received.

    from event_bus_kafka.asgi import lifespan

    application = lifespan(get_asgi_application())
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from math import inf
from typing import Any

from event_bus_kafka.assembly.sending import shutdown

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def lifespan(application: Application) -> Application:
    """
    Return ``application`` with a handler of the protocol ``lifespan``. When the server stops, the handler flushes the
    sent events. The settings ``EVENT_BUS_KAFKA_SHUTDOWN_FLUSH`` and ``EVENT_BUS_KAFKA_SHUTDOWN_SPILL`` limit the time
    for this.

    If ``application`` handles this protocol itself, it still receives all messages of the protocol. Django's
    application does not handle the protocol.
    """

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        server = _Server(receive, send)
        try:
            await application(scope, server.receive, server.send)
        except Exception:
            if server.was_asked:
                raise
        if not server.was_asked:
            for event in ("startup", "shutdown"):  # answer in place of the application, which lacks this protocol
                await receive()
                await server.send({"type": f"lifespan.{event}.complete"})

    return wrapped


class _Server:
    """
    The server's side of the ``lifespan`` protocol, as the wrapped application sees it. When the application answers the
    shutdown message, all events are flushed before the server receives the answer.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.was_asked = False
        """Whether the application has received or sent a message of the protocol."""

    async def receive(self) -> Message:
        self.was_asked = True
        return await self._receive()

    async def send(self, message: Message) -> None:
        self.was_asked = True
        if message["type"].startswith("lifespan.shutdown"):
            await asyncio.to_thread(_flush)
        await self._send(message)


def _flush() -> None:
    shutdown.flush(inf)
    shutdown.finish_periodic_work()
