"""
A schema registry in memory: the part of Confluent's REST API that registers, looks up and fetches Avro schemas, and
checks their compatibility.

Status and error codes are Confluent's. The compatibility level of a subject is NONE until a client sets another level.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from event_bus_kafka.sandbox.schema_store import Refused, SchemaStore

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"


class SchemaRegistryServer:
    """A registry on 127.0.0.1 that runs between :meth:`start` and :meth:`stop`. ``port`` 0: any free port."""

    def __init__(self, *, port: int = 0) -> None:
        self._port = port
        self._server: _Server | None = None
        self.store = SchemaStore()
        self._routes = _Routes(self.store)

    @property
    def url(self) -> str:
        """The URL of the registry. Raises RuntimeError if the registry is not running."""
        if self._server is None:
            raise RuntimeError("The registry is not running.")
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Start serving. Raises OSError if the port is in use."""

        class Handler(_Handler):
            routes = self._routes

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox-schema-registry", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop serving. The schemas stay in memory, so that a later :meth:`start` serves them on the same port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.break_connections()
            self._server = None

    def answer_with(self, status: int | None) -> None:
        """Answer every request with this HTTP status; None: answer normally again."""
        self._routes.status = status


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*arguments)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        """Close the clients' open connections, because the stopped server would otherwise still answer on them."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no error, because clients may disconnect at any time."""


class _Routes:
    """
    Answers requests from the store, according to the request's method and path. Raises :class:`Refused` if a request
    has an unknown path or method, or if the store refuses it.
    """

    def __init__(self, store: SchemaStore) -> None:
        self._store = store
        self.status: int | None = None
        """The HTTP status with which all requests are refused; None: requests are answered normally."""

    def answer(self, method: str, path: list[str], body: Any) -> Any:
        if self.status is not None:
            raise Refused(self.status, "The sandbox was told to answer with this status")
        match method, path:
            case "GET", ["subjects"]:
                return self._store.subjects()
            case "GET", ["subjects", subject, "versions"]:
                return [version.version for version in self._store.versions(subject)]
            case "GET", ["subjects", subject, "versions", number]:
                return attrs.asdict(self._store.version(subject, number))
            case "GET", ["schemas", "ids", schema_id]:
                return {"schema": self._store.text(schema_id)}
            case "POST", ["subjects", subject, "versions"]:
                return {"id": self._store.register(subject, _schema_in(body)).id}
            case "POST", ["subjects", subject]:
                return attrs.asdict(self._store.look_up(subject, _schema_in(body)))
            case "POST", ["compatibility", "subjects", subject, "versions"]:
                return {"is_compatible": self._store.accepts(subject, _schema_in(body))}
            case "POST", ["compatibility", "subjects", subject, "versions", number]:
                return {"is_compatible": self._store.accepts(subject, _schema_in(body), number)}
            case "GET", ["config", *subject]:
                return {"compatibilityLevel": self._store.level(*subject[:1])}
            case "PUT", ["config", *subject]:
                return {"compatibility": self._store.set_level(_level_in(body), *subject[:1])}
            case (("GET" | "POST"), _):
                raise Refused(404, "HTTP 404 Not Found")
        raise Refused(405, "HTTP 405 Method Not Allowed")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    routes: _Routes

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _handle(self) -> None:
        status, answer = self._answered()
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", _CONTENT_TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _answered(self) -> tuple[int, Any]:
        path = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        try:
            return 200, self.routes.answer(self.command, path, self._body())
        except Refused as refused:
            return refused.status, {"error_code": refused.code, "message": refused.message}

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "0")
        content = self.rfile.read(int(length) if length.isdecimal() else 0)
        if not content:
            return None
        try:
            return json.loads(content)
        except ValueError:
            raise Refused(400, "The body is not valid JSON") from None

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _handle  # noqa: N815 names of http.server


def _schema_in(body: Any) -> str:
    if not isinstance(body, dict) or not isinstance(body.get("schema"), str):
        raise Refused(422, "The body must be a JSON object with the schema as text")
    if body.get("schemaType", "AVRO") != "AVRO":
        raise Refused(42201, f"Schemas of type {body['schemaType']} are not supported")
    return str(body["schema"])


def _level_in(body: Any) -> str:
    return str(body.get("compatibility")) if isinstance(body, dict) else ""
