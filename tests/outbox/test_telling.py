"""The heartbeats and the history of a service agree exactly with what its processes did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from event_bus_kafka.dispatching.cleanup import close_after_errors
from event_bus_kafka.housekeeping.housekeeper import Housekeeper
from event_bus_kafka.models import Heartbeat
from event_bus_kafka.operations.workers import WorkerRun, workers
from event_bus_kafka.telemetry.state import Running
from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED
from tests.support.counting import Process, totals
from tests.support.databases import Database
from tests.support.outbox_service import Service, until
from tests.support.states import beats_of, consumer_state

pytestmark = [pytest.mark.real, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]

RECEIVER = "tests.projects.certificates.receivers.fail_for_odd"
EVEN, ODD = [2, 4, 6, 8, 10, 12], [7]
WEB = """
from openedx_events.learning.signals import CERTIFICATE_CREATED
from tests.projects.certificates.apps import say
from tests.support.examples_of import certificate
import threading
names = lambda: [one.name for one in threading.enumerate() if one.name.startswith("event-bus")]
before = names()
for user in {users}:
    CERTIFICATE_CREATED.send_event(certificate=certificate(user))
say("threads", before=before, after=names())
"""
QUICK = {"EVENT_BUS_KAFKA_HEARTBEAT": 0.1, "EVENT_BUS_KAFKA_RETRY": {"attempts": 4, "first_delay": 0.01, "factor": 1}}


def emit(service: Service, users: Sequence[int]) -> ServiceProcess:
    """Emit an event for each user in a separate process, which then ends like a command. Return the ended process."""
    code = WEB.format(users=users)
    with ServiceProcess(code=code, settings=service.process_settings()) as process:
        assert process.end() == 0, process.log
    return process


def runs(kind: str, liveness: str) -> list[WorkerRun]:
    return [run for run in workers() if (run.kind, run.liveness) == (kind, liveness)]


def test_heartbeats_and_history_agree_with_the_outcomes_of_events(service: Service, group: str) -> None:
    web = emit(service, EVEN[:4])
    assert web.heard("threads")[0]["before"] == []
    assert web.heard("threads")[0]["after"] == ["event-bus-housekeeping"], "nothing else in mode outbox"
    assert _counts() == {("", "appended"): 4}

    with service.relay_process(**QUICK) as relay:
        service.arrived(4)
        until(lambda: runs("relay", "alive"))
        assert relay.stop() == 0, relay.log
    assert [run.pid for run in runs("relay", "stopped")] == [relay.pid]
    assert _counts() == {("", "appended"): 4, ("", "relayed"): 4}

    emit(service, [*EVEN[4:], *ODD])
    settings = service.process_settings(**QUICK)
    consume = ("consume_events", "-t", service.topic, "-g", group)
    with (
        service.relay_process(**QUICK) as again,
        ServiceProcess(*consume, settings=settings, receivers="receivers.fail_for_odd") as worker,
    ):
        until(lambda: _states("consumer") and _is_at_its_end(_states("consumer")[0]["partitions"]))
        (state,) = _states("consumer")
        assert (state["in_flight"], state["retries_waiting"], state["lanes"], state["is_alive"]) == (0, 0, 1, True)
        until(lambda: _states("relay") and _states("relay")[0]["depth"] == {})
        assert runs("consumer", "alive")[0].group == group
        assert (worker.stop(), again.stop()) == (0, 0), worker.log
    assert {run.pid for run in runs("relay", "stopped")} == {relay.pid, again.pid}
    assert [run.pid for run in runs("consumer", "stopped")] == [worker.pid]
    assert len(workers()) == 3

    assert _counts() == {
        ("", "appended"): 7,
        ("", "relayed"): 7,
        ("", "received"): 7,
        ("", "retried"): 3,
        ("", "done"): 6,
        ("", "dead-lettered"): 1,
        (RECEIVER, "done"): 6,
        (RECEIVER, "failed"): 4,
    }
    sums = totals(("event_type", "receiver", "outcome"))
    assert sums[CREATED, "", "done"].seconds >= sums[CREATED, "", "done"].longest > 0
    assert sums[CREATED, RECEIVER, "failed"].longest > 0


def _counts() -> dict[tuple[str, ...], int]:
    return {name: sums.count for name, sums in totals().items()}


def _states(kind: str) -> list[dict[str, Any]]:
    return [run.state for run in runs(kind, "alive")]


def _is_at_its_end(partitions: list[dict[str, Any]]) -> bool:
    return [(one["committed"], one["position"], one["end"], one["lag"]) for one in partitions] == [(7, 7, 7, 0)]


def test_a_killed_process_is_not_reported_as_stopped(service: Service) -> None:
    with service.relay_process(**QUICK) as relay:
        until(lambda: runs("relay", "alive"))
        relay.kill()
    (run,) = workers()
    assert run.liveness == "alive", "until it is silent for a minute"


def test_a_relay_continues_without_heartbeats_while_their_migration_is_missing_or_reverted(
    service: Service,
) -> None:
    """
    The relay continues when an operator reverts the migration while the relay runs. Operators do this to return to the
    older version of the package.
    """
    call_command("migrate", "event_bus_kafka", "0009", verbosity=0)
    emit(service, EVEN[:2])
    with service.relay_process(**QUICK) as relay:
        service.arrived(2)
        assert relay.stop() == 0
    assert not any(word in relay.log for word in ("WARNING", "ERROR")), relay.log
    call_command("migrate", "event_bus_kafka", verbosity=0)
    emit(service, EVEN[2:4])
    assert _counts() == {("", "appended"): 2}, "events before the migration are not counted"
    with service.relay_process(**QUICK) as relay:
        until(lambda: runs("relay", "alive"))
        service.arrived(4)
        call_command("migrate", "event_bus_kafka", "0009", verbosity=0)
        relay.wait_for_log("A heartbeat was not written; trying again later")
        emit(service, EVEN[4:])
        service.arrived(6)
        assert relay.stop() == 0, relay.log
    assert relay.log.count("A heartbeat was not written") == 1, relay.log


def test_heartbeats_and_history_continue_after_the_database_returns(
    service: Service, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    running, process, keeper = Running(), Process(), Housekeeper(close_after_errors)
    beats = beats_of(running, period=0.05)
    with running.consumer(consumer_state):
        tasks = [
            keeper.every(lambda: beats.beat_every, "A heartbeat was not written", beats.beat, last=beats.stop),
            keeper.every(0.05, "History was not written", process.writer.write),
        ]
        process.count("done", count=2)
        until(lambda: workers() and totals())
        connections["default"].close()
        database.server.stop()
        process.count("done", count=3)
        until(lambda: all(f"{what} was not written;" in caplog.text for what in ("A heartbeat", "History")))
        database.server.start()
        until(lambda: _counts() == {("", "done"): 5})
        before = Heartbeat.objects.get().beat_at
        until(lambda: Heartbeat.objects.get().beat_at > before)
        keeper.end(tasks, 30)
    assert [run.liveness for run in workers()] == ["stopped"]
    assert caplog.text.count("A heartbeat was not written; trying again later") < 5
