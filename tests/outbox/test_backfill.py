"""A backfill that is interrupted or killed is resumed with the printed token, and loses no event."""

from __future__ import annotations

import re
import signal
from typing import Any

import psutil
import pytest

from tests.flows import test_backfill
from tests.flows.test_backfill import seven as seven
from tests.projects.process import ServiceProcess
from tests.services.bus import RealBus
from tests.support.outbox_service import Service
from tests.support.scale import LONG, scaled
from tests.support.writing import everything

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(900)]

COUNT = scaled(2_000, long=20_000)
BATCH = 500


def backfill(settings: dict[str, Any], token: str | None) -> ServiceProcess:
    """
    Return a process that runs a backfill. If ``token`` is given, the backfill starts after this token. In `make test`,
    which sends few events, the rate is limited, so that the test can interrupt the backfill before its end.
    """
    arguments = ["backfill_events", "service.certificates", "--apply"]
    arguments += ["--resume", token] if token else []
    arguments += [] if LONG else ["--rate", str(BATCH)]
    settings = settings | {"EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED": False, "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30}
    return ServiceProcess(*arguments, settings=settings, environment={"COUNT": str(COUNT)})


def tokens(process: ServiceProcess) -> list[str]:
    return re.findall(r"--resume (\d+)", process.log)


def interrupted_and_resumed(settings: dict[str, Any]) -> str:
    """
    Interrupt a backfill with SIGINT, resume it and kill it, then resume it until it ends. Return a text with the number
    of items, and with the rate and the memory of the last process.
    """
    token: str | None = None
    sizes: list[float] = []
    for number in (signal.SIGINT, signal.SIGKILL):
        with backfill(settings, token) as process:
            process.wait_for(lambda process=process: tokens(process))  # type: ignore[misc]
            process.send(number)
            assert process.end() == (1 if number is signal.SIGINT else -signal.SIGKILL)
        token = tokens(process)[-1]
        if number is signal.SIGINT:
            assert f"Interrupted. Go on with --resume {token}." in process.log
    with backfill(settings, token) as process:
        while not process.has_ended:
            sizes += _size_of(process)
        assert process.end() == 0, process.log
    assert f"{COUNT - int(token or 0)} events are sent, 0 failed." in process.log
    assert max(sizes, default=0) < 30 + (sizes or [0])[0], sizes  # memory stays constant
    rate = re.findall(r"(\d+)/s", process.log)[-1]
    return f"{COUNT} items, {rate}/s; MB {', '.join(f'{size:.0f}' for size in sizes)}"


def _size_of(process: ServiceProcess) -> list[float]:
    try:
        process.wait_for(lambda: process.has_ended, seconds=0.2)
    except AssertionError:
        return [psutil.Process(process.pid).memory_info().rss / 2**20] if tokens(process) else []
    return []


def judge(bus: RealBus, topic: str) -> None:
    """Check that all events arrived. At most one batch may have been sent twice."""
    users = [user for user, _ in everything(bus, topic)]
    assert set(users) == set(range(1, COUNT + 1))
    assert len(users) - COUNT <= BATCH
    print(f"{len(users) - COUNT} twice")


@pytest.mark.usefixtures("seven")
def test_a_backfill_counts_events_as_sent_when_they_are_spilled_into_the_outbox(sqlite_service: Service) -> None:
    away = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "EVENT_BUS_PRODUCER_MODE": "on-commit",
        "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"message.timeout.ms": 500},
    }
    said = test_backfill.backfill(sqlite_service.bus, sqlite_service.topic, test_backfill.SOURCE, "--apply", **away)
    assert said.splitlines()[-1] == "7 events are sent, 0 failed."
    assert sqlite_service.waiting == 7


def test_a_resumed_backfill_sends_each_event_to_kafka_and_repeats_at_most_one_batch(bus: RealBus, topic: str) -> None:
    print(interrupted_and_resumed(bus.settings(topic)))
    judge(bus, topic)


def test_a_resumed_backfill_puts_each_event_into_the_outbox_and_repeats_at_most_one_batch(service: Service) -> None:
    print(interrupted_and_resumed(service.process_settings()))
    assert COUNT <= service.waiting <= COUNT + BATCH
    service.drain()
    judge(service.bus, service.topic)
