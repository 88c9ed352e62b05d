"""The ways to run a service that emits events: behind web servers, in celery workers, and in separate processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

from tests.projects.process import PATIENCE, ROOT
from tests.services.process import ServerProcess, accepts, free_port

_BIN = Path(sys.executable).parent
_ASGI = "tests.exits.asgi:application"
_UWSGI = (
    "--master",
    "--need-app",
    "--module=tests.exits.web",
    "--hook-master-start=unix_signal:15 gracefully_kill_them_all",
)


class Running(ABC):
    """A running service. Its output is written to a file."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._log = folder / "log"
        self._log.touch()
        self._environment = dict(environment)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def emit(self, numbers: Sequence[int]) -> None:
        """Let the service emit an event for each number, and wait until the service has emitted all events."""
        self._ask_for(numbers)
        self.wait_for(lambda: all(f"emitted {number};" in self.log for number in numbers))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < deadline, self.log
            sleep(0.05)

    @abstractmethod
    def _ask_for(self, numbers: Sequence[int]) -> None: ...

    @abstractmethod
    def stop(self) -> None:
        """Stop the service as its usual host would, and wait for its end."""


class Web(Running):
    """A web server. ``{port}`` in its command is replaced by the port."""

    def __init__(self, folder: Path, environment: Mapping[str, str], command: Sequence[str]) -> None:
        super().__init__(folder, environment)
        self._port = free_port()
        command = [part.format(port=self._port) for part in command]
        self._server = ServerProcess(command, log=self._log, environment=self._environment, folder=ROOT)
        self._server.wait_until(lambda: accepts(self._port))

    def _ask_for(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            urlopen(f"http://127.0.0.1:{self._port}/{number}", timeout=PATIENCE).close()

    def stop(self) -> None:
        self._server.stop(seconds=PATIENCE)


class Celery(Running):
    """A celery worker."""

    def __init__(self, folder: Path, environment: Mapping[str, str], options: Sequence[str]) -> None:
        super().__init__(folder, environment)
        for name in ("tasks", "control"):
            (folder / name).mkdir()
        self._environment["CELERY_FOLDER"] = str(folder)
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        command = [str(_BIN / "celery"), "-A", "tests.exits.tasks", "worker", "-c2", *quiet, *options]
        self._server = ServerProcess(command, log=self._log, environment=self._environment, folder=ROOT)

    def _ask_for(self, numbers: Sequence[int]) -> None:
        code = f"from tests.exits.tasks import emit_in_task\nfor one in {numbers}: emit_in_task.delay(one)"
        environment = {name: value for name, value in self._environment.items() if name != "EMIT_FIRST"}
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment, timeout=PATIENCE)

    def stop(self) -> None:
        self._server.stop(seconds=PATIENCE)


class Children(Running):
    """A process that emits events itself or in child processes, and then ends."""

    def __init__(self, folder: Path, environment: Mapping[str, str], way: str) -> None:
        super().__init__(folder, environment)
        self._way = way

    def _ask_for(self, numbers: Sequence[int]) -> None:
        command = [sys.executable, "-m", "tests.exits.children", self._way, *map(str, numbers)]
        with self._log.open("ab") as log:
            subprocess.run(
                command, check=True, cwd=ROOT, env=self._environment, stdout=log, stderr=log, timeout=PATIENCE
            )

    def stop(self) -> None:
        """Do nothing, because the process ends without a signal."""


Way = Callable[[Path, Mapping[str, str]], Running]


def _web(program: str, *arguments: str) -> Way:
    return partial(Web, command=[str(_BIN / program), *arguments])


def _gunicorn(*options: str, application: str = "tests.exits.web") -> Way:
    return _web("gunicorn", application, "--no-control-socket", *options, "--bind=127.0.0.1:{port}")


def _uwsgi(*options: str) -> Way:
    return _web("uwsgi", *_UWSGI, *options, "--http-socket=127.0.0.1:{port}")


def _uvicorn(*options: str) -> Way:
    return _web("uvicorn", _ASGI, *options, "--port={port}")


def _hypercorn(*options: str) -> Way:
    return _web("hypercorn", _ASGI, *options, "--bind=127.0.0.1:{port}")


def _celery(*options: str) -> Way:
    return partial(Celery, options=options)


WAYS: dict[str, Way] = {
    "gunicorn": _gunicorn(),
    "gunicorn --preload": _gunicorn("--preload"),
    "gunicorn gthread": _gunicorn("--worker-class=gthread", "--threads=2"),
    "gunicorn gevent": _gunicorn("--worker-class=gevent"),
    "gunicorn uvicorn": _gunicorn("--worker-class=uvicorn_worker.UvicornWorker", application=_ASGI),
    "uvicorn": _uvicorn(),
    "uvicorn --workers": _uvicorn("--workers=2"),
    "hypercorn": _hypercorn(),
    "daphne": _web("daphne", _ASGI, "--port={port}", "--bind=127.0.0.1"),
    "uwsgi": _uwsgi(),
    "uwsgi --lazy-apps": _uwsgi("--lazy-apps"),
    "uwsgi --py-call-uwsgi-fork-hooks": _uwsgi("--py-call-uwsgi-fork-hooks"),
    "uwsgi --skip-atexit-teardown": _uwsgi("--skip-atexit-teardown"),
    "celery": _celery(),
    "celery --max-tasks-per-child": _celery("--max-tasks-per-child=1"),
    "celery solo": _celery("--pool=solo"),
    "celery threads": _celery("--pool=threads"),
    "multiprocessing fork": partial(Children, way="fork"),
    "multiprocessing spawn": partial(Children, way="spawn"),
    "os.fork": partial(Children, way="os.fork"),
    "a process that ends": partial(Children, way="none"),
    "atexit": partial(Children, way="atexit"),
}
RECYCLING: dict[str, Way] = {
    "gunicorn": _gunicorn("--preload", "--workers=2", "--max-requests=8"),
    "uwsgi": _uwsgi("--processes=2", "--max-requests=8", "--min-worker-lifetime=1"),
    "celery": _celery("--max-tasks-per-child=8"),
}


@contextmanager
def running(way: Way, folder: Path, settings: Mapping[str, Any], **more: str) -> Iterator[Running]:
    """Run a service in the given way. ``more`` contains additional environment variables."""
    folder.mkdir(exist_ok=True)
    urls = {"ROOT_URLCONF": "tests.exits.urls", "ALLOWED_HOSTS": ["127.0.0.1"]}
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.projects.certificates.settings",
        "SERVICE_SETTINGS": json.dumps(urls | dict(settings)),
        "PYTHONPATH": str(ROOT),
    }
    service = way(folder, environment | more)
    try:
        yield service
    finally:
        service.stop()
