"""An HTTP port answers health checks and Prometheus. The tests send requests over sockets."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import Any

import pytest

from event_bus_kafka.telemetry import prometheus
from event_bus_kafka.telemetry.events import ThreadStumbled
from event_bus_kafka.telemetry.prometheus import MetricsPage
from event_bus_kafka.telemetry.state import Running
from event_bus_kafka.worker.health_port import Answer, Pages, _Handler, health_port
from tests.services.process import accepts, free_port
from tests.support.running import RelayOf, consumer
from tests.support.watching import watched


@contextmanager
def answering(running: Running, *, host: str = "127.0.0.1") -> Iterator[int]:
    port = free_port()
    with health_port(host, port, Pages(running, MetricsPage(list))):
        yield port


def ask(port: int, path: str, *, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str]:
    client = http.client.HTTPConnection(host, port, timeout=60)
    try:
        client.request(method, path)
        answer = client.getresponse()
        return answer.status, answer.read().decode()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("changes", "live", "ready"),
    [
        ({}, (200, "alive\n"), (200, "ready\n")),
        (
            {"obstacles": ("Kafka: unreachable", "slow receiver: app.\nreceiver")},
            (200, "alive\n"),
            (503, "Kafka: unreachable\nslow receiver: app.\N{REPLACEMENT CHARACTER}receiver\n"),
        ),
        (
            {"is_alive": False},
            (503, "the worker of group g has not finished a step for too long\n"),
            (503, "the worker of group g has not finished a step for too long\n"),
        ),
    ],
)
def test_the_live_page_and_the_ready_page_show_the_health_of_a_worker(
    changes: dict[str, Any], live: tuple[int, str], ready: tuple[int, str]
) -> None:
    running = Running()
    with running.consumer(lambda: consumer(**changes)), answering(running) as port:
        assert ask(port, "/live") == live
        assert ask(port, "/ready?from=kubernetes") == ready
        assert ask(port, "/ready", method="HEAD") == (ready[0], "")
        assert ask(port, "/") == (404, "There is /live, /ready and /metrics.\n")


def test_the_ready_page_shows_obstacles_of_a_relay_and_answers_503_when_nothing_runs() -> None:
    running = Running()
    with answering(running) as port:
        assert ask(port, "/ready") == (503, "nothing runs\n")
        with running.consumer(consumer), running.relay(RelayOf(obstacles=("OperationalError 2006",))):
            assert ask(port, "/ready") == (503, "OperationalError 2006\n")
        with running.relay(RelayOf(is_alive=False)):
            dead = (503, "the relay of database default has not finished a step for too long\n")
            assert (ask(port, "/live"), ask(port, "/ready")) == (dead, dead)
        with running.relay(RelayOf()):
            assert ask(port, "/ready") == (200, "ready\n")


def test_the_ready_page_lists_neglects_without_changing_its_status_code() -> None:
    running = Running()
    running.remarks = lambda: ("neglected: outbox-waits",)
    with answering(running) as port, running.relay(RelayOf()):
        assert ask(port, "/ready") == (200, "ready\nneglected: outbox-waits\n")
        with running.relay(RelayOf(obstacles=("OperationalError 2006",))):
            assert ask(port, "/ready") == (503, "OperationalError 2006\nneglected: outbox-waits\n")


def test_a_page_of_the_health_port_answers_500_if_its_code_raises() -> None:
    def broken() -> Any:
        raise LookupError("learner@example.com")

    running = Running()
    with running.consumer(broken), answering(running) as port, watched(ThreadStumbled) as seen:
        assert ask(port, "/ready") == (500, "This page could not be made; the log says why.\n")
    assert [type(event.error) for event in seen] == [LookupError]


def test_without_prometheus_client_the_metrics_page_answers_404_and_the_live_page_answers_200(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    prometheus.client.cache_clear()
    try:
        with answering(Running()) as port:
            status, text = ask(port, "/metrics")
            assert status == 404
            assert "install openedx-event-bus-kafka[prometheus]" in text
            assert ask(port, "/live")[0] == 200
        prometheus.publish()
    finally:
        prometheus.client.cache_clear()


def test_a_worker_logs_that_its_health_port_cannot_be_opened_and_continues(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with answering(Running()) as port:
        with health_port("127.0.0.1", port, lambda _: Answer.of(http.HTTPStatus.OK)):
            assert ask(port, "/live")[0] == 200, "the port still belongs to the first server"
        with health_port("no such host.invalid", port, lambda _: Answer.of(http.HTTPStatus.OK)):
            pass
    assert not accepts(port)
    errors = [record.getMessage() for record in caplog.records if "health port" in record.getMessage()]
    assert len(errors) == 2
    assert f"The health port {port} of 127.0.0.1 cannot be opened: Address already in use" in errors[0]


def test_the_health_port_listens_on_every_address_if_no_host_is_configured() -> None:
    with answering(Running(), host="") as port:
        assert ask(port, "/live")[0] == 200
        if socket.has_dualstack_ipv6():
            assert ask(port, "/live", host="::1")[0] == 200


def _says_nothing(_: socket.socket) -> None: ...


def _says_half(client: socket.socket) -> None:
    client.sendall(b"GET /live HTTP/1.1\r\nHost")


def served() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("manner", [_says_nothing, _says_half])
def test_slow_clients_do_not_delay_health_checks_and_do_not_accumulate(
    manner: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Handler, "timeout", 600)  # or they would end by themselves after a while
    most = served() + 8  # besides those of servers of other tests
    with ExitStack() as stack, answering(Running()) as port:
        for _ in range(50):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            manner(client)
        assert ask(port, "/live") == (200, "alive\n")
        deadline = monotonic() + 60
        while served() > most and monotonic() < deadline:
            sleep(0.01)
        assert served() <= most, "the threads of clients that were cut off end at once"


def test_a_forked_child_of_a_receiver_does_not_keep_the_health_port_open() -> None:
    (read, write), (begun, begins) = os.pipe(), os.pipe()
    with answering(Running()) as port:
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            os.write(begins, b".")
            os.read(read, 1)
            os._exit(0)
        os.read(begun, 1)
    try:
        assert not accepts(port)
    finally:
        os.write(write, b".")
        assert os.waitpid(pid, 0)[1] == 0
        os.close(read)
        os.close(write)
