"""A TCP proxy that simulates faults of a network."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from types import TracebackType

_NO_LINGER = struct.pack("ii", 1, 0)
"""A socket option that makes closing the socket reset the connection."""


class Proxy:
    """Forwards all bytes from a port of 127.0.0.1 to another port, unless a fault is set."""

    def __init__(self, target: int, port: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", port))
        self._pairs: list[_Pair] = []
        self.latency = 0.0
        """The delay of all data in seconds, in each direction."""
        self.silent = False
        """Whether the proxy drops all data. Connections stay open, and the proxy accepts new ones."""

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.reset()

    def reset(self) -> None:
        """Reset all connections."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.reset()

    def forget(self) -> None:
        """Leave all current connections half open, and drop their data for ever. New connections work."""
        for pair in self._pairs:
            pair.forgotten = True

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
            else:
                self._pairs.append(_Pair(self, near, far))


class _Pair:
    """A client's connection to the proxy, together with the proxy's connection to the server."""

    def __init__(self, proxy: Proxy, near: socket.socket, far: socket.socket) -> None:
        self.forgotten = False
        self._proxy = proxy
        self._sockets = near, far
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def reset(self) -> None:
        for one in self._sockets:
            try:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                one.shutdown(socket.SHUT_RD)  # wakes the thread that reads
            except OSError:
                pass  # already closed
            one.close()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                sleep(self._proxy.latency)
                if self.forgotten or self._proxy.silent:
                    self.forgotten = True  # dropped data cannot be restored
                else:
                    sink.sendall(data)
        except OSError:
            pass  # the other direction has ended
        if not self.forgotten:
            for one in self._sockets:
                one.close()


@contextmanager
def silence(proxy: Proxy) -> Iterator[None]:
    proxy.silent = True
    try:
        yield
    finally:
        proxy.silent = False


@contextmanager
def cut(proxy: Proxy) -> Iterator[None]:
    """Reset all connections repeatedly while the block runs."""
    mended = threading.Event()

    def cut() -> None:
        while not mended.wait(0.1):
            proxy.reset()

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        mended.set()
        thread.join()


@contextmanager
def latency(proxy: Proxy, seconds: float = 0.5) -> Iterator[None]:
    proxy.latency = seconds
    try:
        yield
    finally:
        proxy.latency = 0.0


@contextmanager
def half_open(proxy: Proxy) -> Iterator[None]:
    proxy.forget()
    yield
