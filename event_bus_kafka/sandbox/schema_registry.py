"""
A schema registry in memory: the part of Confluent's REST API that registers, looks up and fetches Avro schemas.

Status and error codes are Confluent's. Compatibility is not checked.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import fastavro

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"


class Refused(Exception):
    """A request that gets an error; ``code`` is Confluent's, its first three digits the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return int(str(self.code)[:3])


@attrs.frozen(kw_only=True)
class Version:
    """One version of a subject, numbered from 1."""

    subject: str
    version: int
    id: int
    schema: str


class SchemaStore:
    """Schemas by id and by subject. Equal schemas have one id, whatever their subjects."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._subjects: dict[str, list[Version]] = {}

    def register(self, subject: str, text: str) -> Version:
        """Return the version of a schema under a subject, new or known. Raises :class:`Refused`."""
        canonical = _canonical(text)
        with self._lock:
            schema_id = self._ids.setdefault(canonical, len(self._ids) + 1)
            self._texts.setdefault(schema_id, text)
            versions = self._subjects.setdefault(subject, [])
            for known in versions:
                if known.id == schema_id:
                    return known
            versions.append(Version(subject=subject, version=len(versions) + 1, id=schema_id, schema=text))
            return versions[-1]

    def look_up(self, subject: str, text: str) -> Version:
        """Return the version of a schema under a subject. Raises :class:`Refused`."""
        schema_id = self._ids.get(_canonical(text))
        for version in self.versions(subject):
            if version.id == schema_id:
                return version
        raise Refused(40403, "Schema not found")

    def versions(self, subject: str) -> list[Version]:
        """Return a subject's versions. Raises :class:`Refused`."""
        if subject not in self._subjects:
            raise Refused(40401, f"Subject '{subject}' not found.")
        return list(self._subjects[subject])

    def version(self, subject: str, number: str) -> Version:
        """Return one version of a subject, by number or ``latest``. Raises :class:`Refused`."""
        versions = self.versions(subject)
        if number in ("latest", "-1"):
            return versions[-1]
        if not number.isdecimal() or number == "0":
            raise Refused(42202, "The specified version is not a valid version id.")
        if int(number) > len(versions):
            raise Refused(40402, f"Version {number} not found.")
        return versions[int(number) - 1]

    def text(self, schema_id: str) -> str:
        """Return the schema of an id. Raises :class:`Refused`."""
        if not schema_id.isdecimal() or int(schema_id) not in self._texts:
            raise Refused(40403, f"Schema {schema_id} not found")
        return self._texts[int(schema_id)]

    def subjects(self) -> list[str]:
        """Return the names of all subjects."""
        return sorted(self._subjects)


class SchemaRegistryServer:
    """The registry on 127.0.0.1 between :meth:`start` and :meth:`stop`. ``port`` 0: any that is free."""

    def __init__(self, *, port: int = 0) -> None:
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self.store = SchemaStore()

    @property
    def url(self) -> str:
        """URL for clients."""
        if self._server is None:
            raise RuntimeError("The registry is not running.")
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Start serving. Raises OSError if the port is taken."""
        store = self.store

        class Handler(_Handler):
            routes = _Routes(store)

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox-schema-registry", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop serving; schemas are kept, and a later start serves them at the same port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks its connection is no news."""


class _Routes:
    """What each method and path does; a path's variable parts are the arguments."""

    def __init__(self, store: SchemaStore) -> None:
        self._store = store

    def answer(self, method: str, path: list[str], body: Any) -> Any:
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
            case (("GET" | "POST"), _):
                raise Refused(404, "HTTP 404 Not Found")
        raise Refused(405, "HTTP 405 Method Not Allowed")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    routes: _Routes

    def log_message(self, format: str, *args: Any) -> None:
        """The sandbox is quiet."""

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


def _canonical(text: str) -> str:
    """Return a text that equal schemas share: without documentation, and without names where Avro has none."""
    try:
        schema = json.loads(text)
        fastavro.parse_schema(schema)
    except Exception:  # noqa: BLE001 fastavro raises anything from KeyError to RecursionError on malformed schemas
        raise Refused(42201, "Invalid Avro schema") from None
    return json.dumps(_without_ornaments(schema), sort_keys=True)


def _without_ornaments(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_ornaments(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    named = schema.get("type") in ("record", "enum", "fixed", "error")
    kept = {key: value for key, value in schema.items() if key != "doc" and (named or key != "name")}
    if "fields" in kept:
        kept["fields"] = [_field(field) for field in kept["fields"]]
    for inner in ("items", "values"):
        if inner in kept:
            kept[inner] = _without_ornaments(kept[inner])
    return kept["type"] if list(kept) == ["type"] else kept


def _field(field: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in field.items() if key != "doc"} | {"type": _without_ornaments(field["type"])}
