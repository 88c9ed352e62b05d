"""A schema registry that fails in the way that a test selects."""

from __future__ import annotations

import enum
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Fault(enum.Enum):
    DOWN = "closes the connection"
    SLOW = "answers too late"
    SERVER_ERROR = "500"
    UNAUTHORIZED = "401"
    WRONG_URL = "404"


class FaultyRegistry(ThreadingHTTPServer):
    """
    Forwards requests to the registry at the URL ``behind``. ``fault`` selects a fault for all requests; None selects no
    fault.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.fault: Fault | None = None
        self.asked = 0
        """Number of requests that the registry has received."""
        self.authorization: str | None = None
        """The Authorization header of the last request."""
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Return status code and body of the answer to a request."""
        if self.fault is Fault.SLOW:
            self.closing.wait(3)
        elif self.fault is not None:
            return int(self.fault.value), b"<html>not what you wanted</html>"
        try:
            headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
            request = urllib.request.Request(self.behind + path, data=body, headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


class _Handler(BaseHTTPRequestHandler):
    server: FaultyRegistry

    def answer(self) -> None:
        self.server.asked += 1
        self.server.authorization = self.headers.get("Authorization")
        length = int(self.headers.get("Content-Length", "0"))
        asked = self.rfile.read(length) if length else None
        if self.server.fault is Fault.DOWN:
            return
        status, body = self.server.answer(self.path, asked)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 names of http.server

    def log_message(self, format: str, *args: object) -> None:
        """Suppress the log of requests."""


@contextmanager
def faulty(behind: str) -> Iterator[FaultyRegistry]:
    """Yield a faulty registry that forwards requests to the registry ``behind``."""
    with FaultyRegistry(behind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join(5)
