"""A proxy in front of a broker. The proxy can refuse Produce requests in place of the broker."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType

from confluent_kafka import KafkaError

_PRODUCE = 0
_FLEXIBLE = 9
"""The first version of Produce requests in which lengths are integers of variable size."""


class RefusingProxy:
    """
    Forwards requests from a port of 127.0.0.1 to a broker on another port. For each Produce request it calls ``refuse``
    with the name of the topic. If ``refuse`` returns the name of an error, the proxy answers with this error. If
    ``refuse`` returns None, the proxy forwards the request.
    """

    def __init__(self, target: int, refuse: Callable[[str], str | None] = lambda _: None) -> None:
        self.refuse = refuse
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> RefusingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += near, far
            answers = threading.Lock()
            for way in (self._requests, self._answers):
                threading.Thread(target=way, args=(near, far, answers), daemon=True).start()

    def _requests(self, near: socket.socket, far: socket.socket, answers: threading.Lock) -> None:
        try:
            while True:
                frame = _read(near)
                (api,) = struct.unpack_from(">h", frame)
                request = _Produce(frame) if api == _PRODUCE else None
                code = self.refuse(request.topic) if request else None
                if request and code:
                    with answers:
                        _write(near, request.refusal(getattr(KafkaError, code)))
                else:
                    _write(far, frame)
        except OSError:
            far.close()

    def _answers(self, near: socket.socket, far: socket.socket, answers: threading.Lock) -> None:
        """
        Forward the broker's answers. In the answers, the proxy's address replaces the broker's address, so that clients
        connect to the proxy.
        """
        own, ours = (b"127.0.0.1" + struct.pack(">i", port) for port in (self._target, self._port))
        try:
            while True:
                frame = _read(far).replace(own, ours)
                with answers:
                    _write(near, frame)
        except OSError:
            near.close()


class _Produce:
    """A Produce request for one partition, in the format of librdkafka."""

    def __init__(self, frame: bytes) -> None:
        _, self._version, self._correlation, length = struct.unpack_from(">hhih", frame)
        self._frame = frame
        self._at: int = 10 + max(length, 0)
        self._is_flexible = self._version >= _FLEXIBLE
        if self._is_flexible:
            self._at += 1  # tags of the header
            transactional = self._varint() - 1
            self._at += max(transactional, 0) + 6  # acks and timeout
            self._varint()
            name = self._varint() - 1
        else:
            transactional = self._take(">h")
            self._at += max(transactional, 0) + 6 + 4
            name = self._take(">h")
        self._topic = frame[self._at : self._at + name]
        self._at += name
        if self._is_flexible:
            self._varint()
        else:
            self._at += 4
        self._partition = self._take(">i")

    @property
    def topic(self) -> str:
        return self._topic.decode()

    def refusal(self, code: int) -> bytes:
        """Return an answer with this error code to the request."""
        offsets = struct.pack(">ihqqq", self._partition, code, -1, -1, -1)
        if self._is_flexible:
            named = b"\x02" + bytes([len(self._topic) + 1]) + self._topic + b"\x02"
            body = b"\x00" + named + offsets + b"\x01\x00\x00\x00" + struct.pack(">i", 0) + b"\x00"
        else:
            named = struct.pack(">ih", 1, len(self._topic)) + self._topic + struct.pack(">i", 1)
            errors = struct.pack(">ih", 0, -1) if self._version >= 8 else b""
            body = named + offsets + errors + struct.pack(">i", 0)
        return struct.pack(">i", self._correlation) + body

    def _take(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._frame, self._at)
        self._at += struct.calcsize(layout)
        return int(value)

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._frame[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def _read(source: socket.socket) -> bytes:
    (size,) = struct.unpack(">i", _exactly(source, 4))
    return _exactly(source, size)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return bytes(data)


def _write(sink: socket.socket, frame: bytes) -> None:
    sink.sendall(struct.pack(">i", len(frame)) + frame)
