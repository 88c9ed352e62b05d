"""Runs Debian's Prometheus, which scrapes given targets and answers queries. Also runs the tool promtool."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import attrs

from tests.services.debian import install
from tests.services.downloads import cache_folder, locked
from tests.services.process import ServerProcess, free_port


@attrs.frozen(kw_only=True)
class Sample:
    """A number in the answer to a query, with its labels. The label `__name__` is the name of the metric."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """
    A server on 127.0.0.1. Its data is deleted when the server is closed.

    `targets` maps the name of each job to the ports of 127.0.0.1 to scrape. The scraped processes may start later.
    `rules` contains files of rules. Prometheus scrapes targets and evaluates rules every `interval`, which is a
    duration in Prometheus's notation.
    """

    def __init__(
        self, targets: Mapping[str, Sequence[int]], *, rules: Sequence[Path] = (), interval: str = "500ms"
    ) -> None:
        self._configuration = _configuration(targets, rules, interval)
        self._port = free_port()
        self._folder = Path()
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        _install()
        self._folder = Path(tempfile.mkdtemp(prefix="event-bus-prometheus-"))
        file = self._folder / "prometheus.yml"
        file.write_text(json.dumps(self._configuration))  # JSON is valid YAML
        command = [
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        self._process = ServerProcess(command, log=self._folder / "log", folder=self._folder)
        self._process.wait_until(self._answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def query(self, expression: str) -> list[Sample]:
        """
        Return the current values of an expression, which must be a vector. Raises RuntimeError with Prometheus's error
        text.
        """
        found = self.ask("query", query=expression)["result"]
        return [Sample(labels=one["metric"], value=float(one["value"][1])) for one in found]

    def value(self, expression: str) -> float | None:
        """Return the value of an expression whose vector has at most one number. Return None if the vector is empty."""
        found = self.query(expression)
        if len(found) > 1:
            raise RuntimeError(f"{expression} is {len(found)} numbers: {found}")
        return found[0].value if found else None

    def alerts(self) -> list[dict[str, Any]]:
        """
        Return the pending and firing alerts. Each alert has the keys `labels`, `annotations`, `state`, `activeAt` and
        `value`.
        """
        alerts: list[dict[str, Any]] = self.ask("alerts")["alerts"]
        return alerts

    def rules(self) -> list[dict[str, Any]]:
        """
        Return all rules with the result of their last evaluation. The keys include `name`, `query`, `health`,
        `lastError` and `type`.
        """
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def ask(self, path: str, **parameters: str) -> Any:
        """
        Return the data in the answer to a request of the HTTP API below `/api/v1/`. Raises RuntimeError with
        Prometheus's error text.
        """
        try:
            with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=60) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            raise RuntimeError(f"Prometheus refused {path} {parameters}: {error.read().decode()}") from None

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/-/ready", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def lint_of_metrics(page: str) -> str:
    """
    Return the faults that `promtool check metrics` finds on a metrics page, or an empty text if there are none.
    """
    return _promtool("check", "metrics", page=page)


def lint_of_rules(*files: Path) -> str:
    """Return the faults that `promtool check rules` finds in files of rules, or an empty text if there are none."""
    return _promtool("check", "rules", *map(str, files))


def failures_of_rules(file: Path) -> str:
    """
    Return the failures that `promtool test rules` reports for a file of tests. If all tests succeed, return an empty
    text.
    """
    return _promtool("test", "rules", str(file))


def _promtool(*arguments: str, page: str = "") -> str:
    _install()
    done = subprocess.run(["promtool", *arguments], input=page, capture_output=True, text=True)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def _install() -> None:
    with locked(cache_folder()):
        install("prometheus")


def _configuration(targets: Mapping[str, Sequence[int]], rules: Sequence[Path], interval: str) -> dict[str, Any]:
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
        for job, ports in targets.items()
    ]
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(file.absolute()) for file in rules],
        "scrape_configs": jobs,
    }
