"""
``replay_events --request`` and ``backfill_events --request`` print a plan and, with ``--apply``, create a request. The
command ``event_dead_letters requests`` shows the request.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import backfill_source
from event_bus_kafka.models import ReplayRequest, RequestedRun
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import CREATED, SandboxBus
from tests.support.examples_of import certificate
from tests.support.letters import run
from tests.support.requested_runs import progress_of
from tests.support.sending import send

pytestmark = pytest.mark.django_db(transaction=True)

SOURCE = f"{__name__}.users"
_numbers = count(1)


@backfill_source(CERTIFICATE_CREATED, count=lambda after: 9 - int(after or 0))
def users(after: str | None) -> Iterator[Any]:
    yield from ()


@pytest.fixture
def topic(sandbox: Sandbox) -> Iterator[str]:
    """Return a topic with three records."""
    name = f"requested-{next(_numbers)}"
    sandbox.create_topic(name, 1)
    bus = SandboxBus(sandbox)
    send(bus, name, *map(certificate, range(3)))
    with override_settings(**bus.settings(name), EVENT_BUS_KAFKA_HEARTBEAT=10):
        yield name


def said(command: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command(command, *arguments, stdout=output, no_color=True)
    return output.getvalue()


def test_a_replay_is_only_planned_without_the_option_apply_and_requested_with_it(topic: str) -> None:
    arguments = ("-t", topic, "--from", "1", "--key", "2", "--request", "-g", "mail", "--rate", "7", "--reason", "why")
    plan = said("replay_events", *arguments)
    assert f"{topic}:0  offsets 1 to 3: 1 records" in plan
    assert f"{CREATED}: 1 records; in this service skipped: nobody here listens" in plan
    assert "By workers of group mail, at most 7 records a second, until 20 records in a row fail" in plan
    assert "Nothing was done" in plan
    assert not ReplayRequest.objects.exists()
    done = said("replay_events", *arguments, "--apply")
    request, found = ReplayRequest.objects.get(), RequestedRun.objects.get()
    assert "Nothing was done" not in done
    assert f"Replay request {request.pk} is made; see manage.py event_dead_letters requests {request.pk}." in done
    assert "No worker of group mail lives that knows of such requests" in done
    assert (request.rate, request.reason, request.stop_after, found.group) == (7, "why", 20, "mail")
    assert found.arguments == {"topic": topic, "event_type": None, "key": "2", "since": None, "before": None}
    assert [(one.start, one.end, one.position) for one in progress_of(request.pk).places] == [(1, 3, 1)]


def test_a_replay_can_be_requested_for_a_receiver_of_another_service_but_not_for_an_empty_range_of_offsets(
    topic: str,
) -> None:
    arguments = ("-t", topic, "--request", "-g", "mail", "--receiver", "other.receivers.note", "--apply")
    with pytest.raises(CommandError, match="nothing to request"):
        said("replay_events", *arguments, "--from", "latest")
    assert not ReplayRequest.objects.exists()
    said("replay_events", *arguments, "--from", "0")
    assert ReplayRequest.objects.get().receiver == "other.receivers.note"


def test_reports_of_a_replay_request_show_its_progress_and_hide_its_key(topic: str) -> None:
    chosen = ("-t", topic, "--from", "earliest", "--key", "4711")
    said("replay_events", *chosen, "--request", "-g", "mail", "--stop-on-error", "--apply")
    request = ReplayRequest.objects.get()
    assert request.stop_after == 1
    progress = progress_of(request.pk)
    progress.places[0].position, progress.failed, progress.problems = 2, 1, [[f"{topic}:0:1", "mail.note: KeyError"]]
    progress.reasons = {"failed": {"mail.note: KeyError": 1}}
    RequestedRun.objects.update(progress=progress.as_json())
    line = f"{request.pk}  requested  topic {topic}, by group mail: 2 of 3 offsets; 1 failed"
    assert line in run("requests").splitlines()
    report = run("requests", request.pk)
    assert f"  {topic}:0  offsets 0 to 3: done before 2" in report
    assert f"    {topic}:0:1: mail.note: KeyError" in report
    assert "failed: 1 × mail.note: KeyError" in report
    assert f"replay_events -t {topic}:0 --from 2 --to 3 --key … --apply" in report
    found = json.loads(run("requests", request.pk, "--json"))
    assert (found["kind"], found["group"], found["offsets"], found["done"]) == ("topic", "mail", 3, 2)
    assert found["places"] == [{"topic": topic, "partition": 0, "start": 0, "end": 3, "position": 2}]
    assert "4711" not in report + json.dumps(found)
    assert "It is paused" in run("pause", request.pk, "--apply")
    assert ReplayRequest.objects.get().state == "paused"


def test_a_backfill_can_be_requested_with_the_token_to_resume_from(topic: str) -> None:
    arguments = (SOURCE, "--resume", "2", "--limit", "5", "--request")
    assert "Nothing was done" in said("backfill_events", *arguments)
    made = json.loads(said("backfill_events", *arguments, "--apply", "--json").splitlines()[-1])
    request, found = ReplayRequest.objects.get(), RequestedRun.objects.get()
    assert made["request"] == request.pk
    assert found.arguments == {"source": SOURCE, "event_type": CREATED, "limit": 5}
    assert (found.group, progress_of(request.pk)) == ("", RunProgress(total=5, token="2"))
    report = run("requests", request.pk)
    assert f"backfill of {SOURCE}, by any group: 0 of 5 items; -" in report
    assert "all before is sent: --resume 2" in report
    assert "at most 5 items" in report


def test_a_new_replay_request_is_reported_even_if_the_search_for_obstacles_fails(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_wish: object) -> str:
        raise OperationalError("learner@example.com")

    monkeypatch.setattr("event_bus_kafka.management.run_requests.obstacle_before_run", away)
    done = said("replay_events", "-t", topic, "--from", "1", "--request", "-g", "mail", "--apply")
    assert f"Replay request {ReplayRequest.objects.get().pk} is made" in done, (
        "after an error the operator would request it again"
    )
    assert "Whether a worker takes it is not known: OperationalError." in done


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("replay_events", "-t", "t", "--from", "0", "--request"), "--request needs the group"),
        (("replay_events", "-t", "t", "--from", "0", "-g", "mail"), "belong to --request"),
        (
            ("replay_events", "-t", "t", "--from", "0", "-g", "g", "--request", "--stop-on-error", "--stop-after", "2"),
            "Give either --stop-on-error or --stop-after",
        ),
        (("backfill_events", SOURCE, "--reason", "why"), "belong to --request"),
    ],
)
def test_contradictory_or_incomplete_arguments_are_refused(command: tuple[str, ...], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command(*command)


def test_a_requested_backfill_is_refused_with_advice_to_migrate_if_the_table_of_runs_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("event_bus_kafka.management.run_requests.are_possible", lambda: False)
    with pytest.raises(CommandError, match="run manage"):
        call_command("backfill_events", SOURCE, "--request")
