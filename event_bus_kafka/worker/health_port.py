"""
A TCP port that serves liveness, readiness and metrics of a worker or relay over HTTP, for example to Kubernetes and
Prometheus. Answers come from this process's memory, so no request waits for another server.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

import attrs

from event_bus_kafka.shown import logger_named, shown
from event_bus_kafka.telemetry.guards import kept_alive
from event_bus_kafka.telemetry.prometheus import MISSING, MetricsPage
from event_bus_kafka.telemetry.state import Running

logger = logger_named(__name__)

_SILENT_CLIENT = 5.0
"""Seconds after which a client that sends nothing, or does not read its answer, is disconnected."""
_MOST_CLIENTS = 8
"""
Maximum number of connections at a time. A further client displaces the client with the oldest connection, so that slow
clients cannot keep a health check waiting.
"""
_TEXT = "text/plain; charset=utf-8"


@attrs.frozen
class Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT

    @classmethod
    def of(cls, status: HTTPStatus, *lines: str) -> Answer:
        """
        Return an answer with these lines, which may contain names of receivers, topics and servers, but no event data.
        """
        return cls(status, "".join(f"{shown(line)}\n" for line in lines).encode())


_FAILED = Answer.of(HTTPStatus.INTERNAL_SERVER_ERROR, "This page could not be made; the log says why.")


@attrs.frozen
class Pages:
    """Returns the answer to a request, according to the request's path."""

    running: Running
    metrics: MetricsPage

    def __call__(self, path: str) -> Answer:
        page = {"/live": self._live, "/ready": self._ready, "/metrics": self._metrics}.get(path.partition("?")[0])
        return page() if page else Answer.of(HTTPStatus.NOT_FOUND, "There is /live, /ready and /metrics.")

    def _live(self) -> Answer:
        dead = [f"the worker of group {one.group}" for one in self._consumers() if not one.is_alive]
        dead += [f"the relay of database {one.database}" for one in self.running.relays if not one.is_alive]
        lines = [f"{one} has not finished a step for too long" for one in dead]
        return Answer.of(HTTPStatus.SERVICE_UNAVAILABLE, *lines) if lines else Answer.of(HTTPStatus.OK, "alive")

    def _ready(self) -> Answer:
        obstacles = [line for one in (*self._consumers(), *self.running.relays) for line in one.obstacles]
        if not (self.running.consumers or self.running.relays):
            obstacles = ["nothing runs"]
        remarks = self.running.remarks()
        if obstacles:
            return Answer.of(HTTPStatus.SERVICE_UNAVAILABLE, *obstacles, *remarks)
        alive = self._live()
        return Answer.of(HTTPStatus.OK, "ready", *remarks) if alive.status is HTTPStatus.OK else alive

    def _metrics(self) -> Answer:
        page = self.metrics()
        return Answer(HTTPStatus.OK, page[1], page[0]) if page else Answer.of(HTTPStatus.NOT_FOUND, MISSING)

    def _consumers(self) -> list[Any]:
        return [source() for source in self.running.consumers]


@contextmanager
def health_port(host: str, port: int, pages: Callable[[str], Answer]) -> Iterator[bool]:
    """
    Serve on a port while the ``with`` block runs. If the port cannot be opened, log an error and run the block without
    the port. Yield whether the port is open.
    """
    try:
        server = _Server(_listen(host, port), pages)
    except (OSError, UnicodeError) as error:
        logger.error(
            "The health port %s of %s cannot be opened: %s. The worker continues without it; choose another port with "
            "EVENT_BUS_KAFKA_HEALTH_PORT or --health-port.",
            port,
            host or "all addresses",
            getattr(error, "strerror", None) or type(error).__name__,
        )
        yield False
        return
    thread = threading.Thread(target=server.serve_forever, name="event-bus-health", daemon=True)
    thread.start()
    logger.info("Health port: %s", port)
    try:
        yield True
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, TCPServer):
    """Serves each client in a separate thread. The number of clients at a time is limited."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, pages: Callable[[str], Answer]) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.pages = pages
        self._clients: deque[socket.socket] = deque()
        _listening.append(listening)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._clients.append(request)
        while len(self._clients) > _MOST_CLIENTS:
            _cut_off(self._clients.popleft())
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with suppress(ValueError):  # disconnected already
            self._clients.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors of a connection, which usually mean that the client has disconnected."""

    def server_close(self) -> None:
        super().server_close()
        with suppress(ValueError):
            _listening.remove(self.socket)


class _Handler(BaseHTTPRequestHandler):
    """Handles one request of one client."""

    timeout = _SILENT_CLIENT
    server_version, sys_version = "event_bus_kafka", ""
    server: _Server

    def do_GET(self) -> None:
        answer = _FAILED
        with kept_alive():
            answer = self.server.pages(self.path)
        with kept_alive():
            self._answer(answer)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Log nothing, because health checks come every second, and a client may put any text into the path."""

    def _answer(self, answer: Answer) -> None:
        with suppress(OSError):  # the client has disconnected, or was disconnected
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)


def _listen(host: str, port: int) -> socket.socket:
    """
    Return a listening socket. Without ``host`` the socket also accepts IPv6 connections if the machine supports them.
    Raises OSError.
    """
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def _cut_off(client: socket.socket) -> None:
    with suppress(OSError):  # the client has disconnected
        client.shutdown(socket.SHUT_RDWR)


_listening: list[socket.socket] = []


def _let_parent_be() -> None:
    """
    Close the inherited port in a child process after a fork. A child that a receiver started would otherwise block the
    port for the next worker.
    """
    for one in _listening:
        one.close()
    _listening.clear()


os.register_at_fork(after_in_child=_let_parent_be)
