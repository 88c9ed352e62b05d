"""Alerts fire, and queries of the dashboard return data, when a real Prometheus scrapes a real worker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import yaml

from docs.monitoring.files import FOLDER
from tests.projects.process import PATIENCE
from tests.services.bus import CREATED, RealBus
from tests.services.process import free_port
from tests.services.prometheus import Prometheus
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

JOB = "mail"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return a file with the alert rules, changed so that each alert fires without its waiting time."""
    content = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    for group in content["groups"]:
        for rule in group["rules"]:
            rule["for"] = "0s"
    file = tmp_path / "alerts.yml"
    file.write_text(yaml.safe_dump(content))
    return file


def firing(prometheus: Prometheus) -> dict[str, dict[str, Any]]:
    """Return the firing alerts by name."""
    return {one["labels"]["alertname"]: one for one in prometheus.alerts() if one["state"] == "firing"}


def until(condition: Callable[[], Any], why: str) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, why
        sleep(0.2)


def asked_by_the_dashboard() -> Iterator[tuple[str, str]]:
    """
    Yield the title of each panel together with each of its expressions. The expressions select all services, groups and
    topics.
    """
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = re.sub(r"\$(job|group|topic)", ".*", target["expr"])
            yield panel["title"], expression.replace("$__rate_interval", "1m")


def test_alerts_fire_when_a_receiver_fails_and_its_worker_dies(
    real_bus: RealBus, group: str, tmp_path: Path, rules: Path
) -> None:
    topic, port = f"firing-{group}", free_port()
    real_bus.create_topic(topic)
    real_bus.create_topic(f"{group}.dead-letters")
    changes: dict[str, Any] = {
        "EVENT_BUS_KAFKA_HEALTH_PORT": port,
        "EVENT_BUS_KAFKA_DEAD_LETTERS": "topic",
        "EVENT_BUS_KAFKA_RETRY": {"attempts": 1},
    }
    with (
        Prometheus({JOB: [port]}, rules=[rules]) as prometheus,
        worker(real_bus, topic, group, "fail", **changes) as process,
    ):
        ready = f'event_bus_kafka_worker_ready{{group="{group}"}}'
        until(lambda: prometheus.value(ready) == 1, "the worker is not ready")
        until(lambda: not firing(prometheus), f"something fires already: {firing(prometheus)}")
        send(real_bus, topic, certificate(7))
        until(lambda: "EventBusDeadLetters" in firing(prometheus), "no alert fires for the dead letter")
        alert = firing(prometheus)["EventBusDeadLetters"]
        assert alert["annotations"]["summary"] == f"{JOB} gives up events of type {CREATED}"
        assert "learner@example.com" not in str(alert)
        answered = {title for title, expression in asked_by_the_dashboard() if prometheus.query(expression)}
        assert {"Workers", "Versions", "Lag", "Lanes", "Dead letters, 24 h", "Floods"} <= answered
        process.kill()
        until(lambda: "EventBusWorkerGone" in firing(prometheus), "no alert fires for the killed worker")
        alert = firing(prometheus)["EventBusWorkerGone"]
        assert alert["annotations"]["summary"] == f"No worker of group {group} runs"
        assert {rule["health"] for rule in prometheus.rules()} == {"ok"}
