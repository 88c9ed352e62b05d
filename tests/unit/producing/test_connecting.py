"""
A send does not deadlock while a Kafka client is created. A send in a signal handler does not deadlock if the
interrupted code holds the lock of the clients.
"""

from __future__ import annotations

from threading import Thread
from time import monotonic

import pytest

from event_bus_kafka.errors import DeliveryFailed
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.producing.connecting import Connecting
from event_bus_kafka.telemetry import guards


class Refusing:
    """
    Stands in for the module ``threading``. It refuses to start threads, as Python does while the interpreter ends.
    """

    class Thread:
        def __init__(self, **_: object) -> None: ...

        def start(self) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")


def test_sending_while_a_client_is_created_does_not_deadlock_if_threads_cannot_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make(_: ProcessClients | None) -> ProcessClients:
        with pytest.raises(DeliveryFailed, match="still being made"):
            connecting.get(monotonic())  # like an event of an observer that is told of a failing oauth_cb
        raise RuntimeError("no token")

    def send() -> None:
        with pytest.raises(DeliveryFailed, match="raised RuntimeError"):
            connecting.get(monotonic() + 60)
        ended.append(True)

    connecting, ended = Connecting(make), list[bool]()
    monkeypatch.setattr(guards, "threading", Refusing)
    request = Thread(target=send, daemon=True)
    request.start()
    request.join(20)
    assert ended


def test_a_send_in_a_signal_handler_raises_if_the_interrupted_code_holds_the_lock_of_the_clients() -> None:
    def make(_: ProcessClients | None) -> ProcessClients:
        raise RuntimeError("no token")

    def interrupted() -> None:
        with connecting._lock, pytest.raises(DeliveryFailed):
            connecting.get(monotonic())
        ended.append(True)

    connecting, ended = Connecting(make), list[bool]()
    request = Thread(target=interrupted, daemon=True)
    request.start()
    request.join(20)
    assert ended
