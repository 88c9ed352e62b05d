"""
A requested run is held in an outage, and ends after a permanent error. A run that no worker can begin does not delay
other runs.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any
from uuid import uuid4

import pytest

from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.errors import BrokerError, ConfigurationError, EventBusError
from event_bus_kafka.kafka.offsets import Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.models import ReplayRequest, RequestedRun
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry import tallies
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.metrics import LATENCY
from event_bus_kafka.trouble import Trouble
from tests.services.bus import CREATED
from tests.support.requested_runs import Runner, progress_of, state_of, topic_request
from tests.unit.replaying.test_requested_runs import backfill_request, failing, heard, sent
from tests.unit.replaying.test_requested_runs import in_memory as in_memory
from tests.unit.replaying.test_requested_runs import out as out
from tests.unit.replaying.test_requested_runs import producer as producer
from tests.unit.replaying.test_requested_runs import receiving as receiving

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_lets_go_of_a_run_that_another_worker_has_taken(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(6))
    runner, number = Runner(receiving), topic_request(out, 0, 6)
    runner.had(2)
    RequestedRun.objects.update(holder=uuid4())
    runner.begin(1)
    runner.turn()
    assert runner.begin(1) == 0
    assert (runner.replaying, state_of(number), len(heard)) == (None, "requested", 3)
    assert progress_of(number).places[0].position == 2


def test_a_worker_does_not_begin_a_run_that_another_worker_has_claimed_meanwhile(
    receiving: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, number, other = Runner(receiving), topic_request("t", 0, 9), uuid4()

    def claim(*_: Any, **__: Any) -> bool:
        ReplayRequest.objects.update(claimed_by=other)
        RequestedRun.objects.update(holder=other)
        return True

    monkeypatch.setattr(type(ReplayRequest.objects.all()), "beat", claim)
    runner.turn()
    assert (runner.replaying, state_of(number)) == (None, "running")
    assert (ReplayRequest.objects.get().claimed_by, RequestedRun.objects.get().holder) == (other, other)


def test_a_run_that_no_worker_can_execute_does_not_delay_later_runs(
    sandbox: Sandbox, out: str, receiving: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> None:
        raise ImportError("learner@example.com")

    monkeypatch.setattr("event_bus_kafka.producing.backfill.autodiscover_modules", broken)
    sent(sandbox, out, range(1))
    of_broken_sources, of_later_version = backfill_request(), topic_request(out, 0, 1)
    RequestedRun.objects.filter(request=of_later_version).update(kind="later", arguments={})
    number = topic_request(out, 0, 1)
    progress = progress_of(number).as_json()
    progress["places"][0]["of_later_version"] = 7
    RequestedRun.objects.filter(request=number).update(progress=progress)
    Runner(receiving).go_on_until(lambda: state_of(number) == "done")
    assert [state_of(one) for one in (of_broken_sources, of_later_version)] == ["requested", "requested"]


def test_a_request_fails_permanently_if_its_run_raises_when_it_begins(receiving: Processor) -> None:
    runner, number = Runner(receiving), topic_request("t", 0, 1)
    RequestedRun.objects.update(progress={"places": [{"topic": "t"}]})
    runner.turn()
    request = ReplayRequest.objects.get(pk=number)
    assert (runner.replaying, request.state, request.note) == (
        None,
        "failed",
        "TypeError was raised when the request began",
    )


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (BrokerError("TOPIC_AUTHORIZATION_FAILED", "no right", retriable=True, kind=Trouble.FORBIDDEN), "stopped"),
        (ConfigurationError("a file of certificates is missing"), "stopped"),
        (BrokerError("_TIMED_OUT", "no answer", retriable=True), "running"),
    ],
)
def test_a_replay_is_stopped_by_a_permanent_error_but_only_held_in_an_outage(
    receiving: Processor, monkeypatch: pytest.MonkeyPatch, error: EventBusError, state: str
) -> None:
    def refused(*_: Any, **__: Any) -> Range:
        raise error

    monkeypatch.setattr(Reader, "range_of", refused)
    runner, number = Runner(receiving), topic_request("t", 0, 1)
    runner.go_on_until(lambda: ReplayRequest.objects.get().note)
    assert (state_of(number), ReplayRequest.objects.get().note) == (state, error_text(error))


def test_a_replay_is_stopped_after_it_has_waited_a_minute_for_a_missing_topic(
    receiving: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the restart of a broker a topic can be missing for a moment."""

    error = BrokerError("UNKNOWN_TOPIC_OR_PART", "not there", retriable=True, kind=Trouble.MISSING)

    def missing(*_: Any, **__: Any) -> Range:
        raise error

    monkeypatch.setattr(Reader, "range_of", missing)
    now, notes = 1_000.0, []
    runner, number = Runner(receiving, clock=lambda: now), topic_request("t", 0, 1)

    def is_stopped() -> bool:
        nonlocal now
        now += 1
        notes.append(ReplayRequest.objects.get().note)
        return state_of(number) == "stopped"

    runner.go_on_until(is_stopped)
    assert now > 1_060
    assert [note for note, _ in groupby(notes)] == [
        "",
        f"{error_text(error)} (the request ends if this lasts for 60 s)",
        f"{error_text(error)} (for 60 s)",
    ]


def test_the_note_about_a_hold_is_deleted_when_the_replay_continues_even_if_it_only_skips_records(
    sandbox: Sandbox, out: str, receiving: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(sandbox, out, range(3))
    range_of, outage = Reader.range_of, [BrokerError("_TIMED_OUT", "no answer", retriable=True)]

    def away_at_first(*about: Any, **timeout: Any) -> Range:
        if outage:
            raise outage.pop()
        return range_of(*about, **timeout)

    monkeypatch.setattr(Reader, "range_of", away_at_first)
    runner, number = Runner(receiving), topic_request(out, 0, 3, arguments={"key": "2"})
    runner.go_on_until(lambda: ReplayRequest.objects.get().note, each=0)
    runner.go_on_until(lambda: not ReplayRequest.objects.get().note, each=0)
    assert (heard, state_of(number)) == ([], "running")
    assert runner.replaying is not None
    assert runner.replaying.holds == 0


def test_a_replay_is_stopped_if_its_topic_ends_before_the_requested_end(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(2))
    runner, number = Runner(receiving), topic_request(out, 1, 5)
    runner.go_on_until(lambda: state_of(number) != "requested" and ReplayRequest.objects.get().note)
    assert (state_of(number), heard, progress_of(number).done) == ("stopped", [], 0)
    assert f"{out}:0 ends at offset 2 now, before 5" in ReplayRequest.objects.get().note


def test_the_age_of_replayed_records_does_not_count_as_latency_of_the_worker(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(2))
    before = tallies.read()[LATENCY, (CREATED,)].count if (LATENCY, (CREATED,)) in tallies.read() else 0
    runner, number = Runner(receiving), topic_request(out, 0, 2)
    runner.go_on_until(lambda: state_of(number) == "done")
    assert len(heard) == 2
    assert tallies.read()[LATENCY, (CREATED,)].count == before


def test_consecutive_failures_are_counted_across_batches_and_pauses_of_a_backfill(
    receiving: Processor, producer: KafkaEventProducer
) -> None:
    failing.update((2, 3, 4))
    runner, number = Runner(receiving, lambda: producer), backfill_request(stop_after=3)
    runner.had(1)
    ReplayRequest.objects.pause(number, note="")
    runner.turn()
    ReplayRequest.objects.resume(number)
    Runner(receiving, lambda: producer).go_on_until(lambda: state_of(number) == "stopped")
    assert (ReplayRequest.objects.get().note, progress_of(number).token) == ("3 items in a row failed", "6")
