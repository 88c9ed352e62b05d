"""Runs the Apicurio registry with Confluent's API. The registry keeps its schemas in memory."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType

from tests.services.downloads import APICURIO_VERSION, apicurio
from tests.services.process import ServerProcess, free_port


class SchemaRegistry:
    """A registry on 127.0.0.1. Its schemas are deleted when the registry is closed."""

    def __init__(self, port: int = 0) -> None:
        self._port = port or free_port()
        self._folder = Path()
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def __enter__(self) -> SchemaRegistry:
        self._folder = Path(tempfile.mkdtemp(prefix="event-bus-registry-"))
        jar = apicurio() / f"apicurio-registry-app-{APICURIO_VERSION}-runner.jar"
        options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1"]
        command = ["java", *options, f"-Dquarkus.http.port={self._port}", "-jar", str(jar)]
        self._process = ServerProcess(command, log=self._folder / "registry.log")
        self._process.wait_until(self._answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        """
        Register a schema; return whether the registry accepted the schema. ``__enter__`` calls this method until it
        returns True, so no client makes the first registration. On a busy machine the first registration takes longer
        than the timeout of a client.
        """
        request = urllib.request.Request(
            f"{self.url}/subjects/warm-up/versions",
            data=json.dumps({"schema": '{"type": "record", "name": "WarmUp", "fields": []}'}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
