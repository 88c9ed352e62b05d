"""
A worker runs requested replays of topics and requested backfills, and saves their progress. If it dies, another worker
can continue from the saved progress.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from threading import Lock
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import backfill_source, is_replay
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.models import LetterState, ReplayRequest, RequestedRun
from event_bus_kafka.operations.requested_runs.run_progress import Place, RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import BackfillArguments, RunWish, request_run
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.replaying.read_records import ReadRecords
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.wire.records import ConsumerRecord
from tests.services.bus import CREATED, REVOKED, SandboxBus
from tests.support.examples_of import certificate
from tests.support.requested_runs import Runner, processing, progress_of, state_of, topic_request
from tests.support.sending import own_producer, send

pytestmark = pytest.mark.django_db(transaction=True)

SOURCE = f"{__name__}.users"
heard: list[tuple[int, bool]] = []
failing: set[int] = set()
OF_SOURCE = range(1, 8)
_numbers = count(1)


def note(certificate: Any, **_: Any) -> None:
    heard.append((certificate.user.id, is_replay()))
    if certificate.user.id in failing:
        raise ValueError("learner@example.com")


@backfill_source(CERTIFICATE_CREATED, count=lambda after: len(OF_SOURCE) - int(after or 0))
def users(after: str | None) -> Iterator[Any]:
    for user in OF_SOURCE[int(after or 0) :]:
        yield user, partial(_arguments, user)


def _arguments(user: int) -> dict[str, Any]:
    if user in failing:
        raise ValueError("learner@example.com")
    return {"certificate": certificate(user)}


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Make workers use the database in memory. Usually workers ignore a database in memory, because only one thread can
    write to it. In these tests no two threads write.
    """
    for module in ("request_runner", "requested_runs"):
        monkeypatch.setattr(f"event_bus_kafka.replaying.{module}.alias_of", lambda _model: "default")


@pytest.fixture
def out(sandbox: Sandbox) -> str:
    """Return a topic that no other test uses."""
    name = f"runs-{next(_numbers)}"
    sandbox.create_topic(name, 1)
    return name


@pytest.fixture
def receiving(sandbox: Sandbox, out: str) -> Iterator[Processor]:
    heard.clear()
    failing.clear()
    CERTIFICATE_CREATED.connect(note)
    with override_settings(**SandboxBus(sandbox).settings(out)), processing("mail") as found:
        yield found
    CERTIFICATE_CREATED.disconnect(note)


@pytest.fixture
def producer(receiving: Processor) -> Iterator[KafkaEventProducer]:
    """Yield a producer, which is closed at the end."""
    with own_producer() as found:
        yield found


def sent(sandbox: Sandbox, topic: str, users: range) -> None:
    send(SandboxBus(sandbox), topic, *map(certificate, users))


def test_a_requested_replay_gives_records_to_receivers_again_and_lists_failures(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(6))
    failing.add(3)
    runner, number = Runner(receiving), topic_request(out, 1, 5, reason="mended")
    runner.go_on_until(lambda: state_of(number) == "done")
    assert heard == [(user, True) for user in range(1, 5)]
    found = progress_of(number)
    assert (found.done, found.total, found.counts) == (4, 4, {"succeeded": 3, "failed": 1})
    assert found.problems == [[f"{out}:0:3", f"{__name__}.note: ValueError"]]
    assert (ReplayRequest.objects.get().claimed_by, RequestedRun.objects.get().holder) == (None, None)


def test_a_requested_replay_omits_records_of_other_keys_and_skips_records_without_a_receiver(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(3))
    runner = Runner(receiving)
    other = topic_request(out, 0, 3, arguments={"key": "1"})
    nobody = topic_request(out, 0, 3, receiver=f"{__name__}.note", arguments={"event_type": CREATED})
    runner.go_on_until(lambda: state_of(other) == "done")
    assert (heard, progress_of(other).counts, progress_of(other).done) == ([(1, True)], {"succeeded": 1}, 3)
    CERTIFICATE_CREATED.disconnect(note)
    runner.turn()
    assert state_of(nobody) == "requested", "this worker has not the receiver"
    CERTIFICATE_CREATED.connect(note)
    runner.go_on_until(lambda: state_of(nobody) == "done")
    skipped = topic_request(out, 0, 3)
    CERTIFICATE_CREATED.disconnect(note)
    runner.go_on_until(lambda: state_of(skipped) == "done")
    assert progress_of(skipped).reasons == {"skipped": {"no receiver": 3}}


def test_a_worker_does_not_change_the_progress_of_a_run_that_another_worker_has_taken(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(6))
    one, other, number = Runner(receiving), Runner(receiving), topic_request(out, 0, 6)
    one.had(2)
    assert progress_of(number).places[0].position == 2
    other.turn()
    assert other.replaying is None, "one worker has it"
    ReplayRequest.objects.update(beat_at=1)
    other.had(1)
    one.begin(1)  # a worker that stood still has one on its lane
    one.turn()
    assert progress_of(number).places[0].position == 3
    other.go_on_until(lambda: state_of(number) == "done")
    assert [user for user, _ in heard] == [0, 1, 2, 2, 3, 4, 5], (
        "a record that began after the last save is replayed again"
    )
    assert progress_of(number).counts == {"succeeded": 6}, "each is counted once"
    assert one.replaying is None


def test_a_stopping_worker_hands_back_a_requested_replay_with_the_newest_position(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(4))
    one, other, number = Runner(receiving), Runner(receiving), topic_request(out, 0, 4)
    one.had(1)
    one.begin(2)
    one.hand_back()
    assert (state_of(number), progress_of(number).places[0].position) == ("requested", 3)
    assert RequestedRun.objects.get().holder is None, "it has not died"
    other.go_on_until(lambda: state_of(number) == "done")
    assert [user for user, _ in heard] == [0, 1, 2, 3]
    assert progress_of(number).deaths == 0


def test_a_requested_replay_is_stopped_after_three_workers_died_during_the_replay(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(2))
    number = topic_request(out, 0, 2)
    for _ in range(3):
        Runner(receiving).turn()
        ReplayRequest.objects.update(beat_at=1)
    Runner(receiving).turn()
    assert (state_of(number), heard) == ("stopped", [])
    assert "3 workers in a row died while they ran it" in ReplayRequest.objects.get().note


def test_a_requested_replay_is_stopped_after_too_many_consecutive_failures(
    sandbox: Sandbox, out: str, receiving: Processor
) -> None:
    sent(sandbox, out, range(9))
    failing.update(range(9))
    runner, number = Runner(receiving), topic_request(out, 0, 9, stop_after=3)
    runner.go_on_until(lambda: state_of(number) == "stopped")
    assert progress_of(number).places[0].position == len(heard) == 3
    assert ReplayRequest.objects.get().note == "3 records in a row failed"


def test_a_worker_of_the_previous_version_sees_no_request_to_replay_a_topic(receiving: Processor) -> None:
    number = topic_request("t", 0, 1, group="mail")
    rows = ReplayRequest.objects
    assert rows.in_turn("mail") == [], "it asks for requests of its group"
    assert [one.pk for one in rows.runs_in_turn("mail")] == [number]
    assert rows.runs_in_turn("other") == []


def test_only_the_worker_that_owns_a_run_can_save_the_progress_of_the_run() -> None:
    number, one, other = topic_request("t", 0, 9), uuid4(), uuid4()
    rows, claims = RequestedRun.objects, ReplayRequest.objects
    assert rows.hold(number, by=one) is None, "it has no claim"
    claims.update(claimed_by=one)
    rows.hold(number, by=one)
    assert rows.save_progress(number, {"items": 1}, by=one)
    claims.update(claimed_by=other)
    found = rows.hold(number, by=other)
    assert found is not None
    assert (found.holder, found.progress) == (one, {"items": 1})
    assert not rows.save_progress(number, {"items": 2}, by=one)
    rows.release(number, by=one)
    assert (rows.get().progress, rows.get().holder) == ({"items": 1}, other)
    assert rows.hold(number, by=one) is None, "its claim has passed to another worker"
    assert rows.get().holder == other


def test_the_result_of_a_replayed_record_is_counted_only_when_all_earlier_records_have_results() -> None:
    place = Place(topic="t", partition=0, start=5, end=20, position=5)
    progress = RunProgress(places=[place])
    records = ReadRecords(progress, Lock())
    about: dict[str, Any] = {"timestamp": None, "key": None, "value": b"v", "headers": ()}
    first, second = (
        records.add(place, ConsumerRecord(topic="t", partition=0, offset=offset, **about)) for offset in (5, 8)
    )
    records.end(second, LetterState.FAILED, "why")
    assert (place.position, progress.counts) == (5, {}), "the first may have to come again"
    records.pass_over(place, 12)
    records.end(first, LetterState.SUCCEEDED)
    assert (place.position, progress.counts) == (13, {"succeeded": 1, "failed": 1})
    records.leave_out(place, 15)
    assert (progress.done, progress.reasons["skipped"]) == (10, {"no longer in Kafka": 2})
    assert RunProgress.of(progress.as_json()) == progress


def backfill_request(**values: Any) -> int:
    limit = values.pop("limit", None)
    arguments = BackfillArguments(source=SOURCE, event_type=CREATED, limit=limit)
    progress = RunProgress(total=7, token=values.pop("after", None))
    return int(request_run(RunWish(arguments=arguments, progress=progress, **values)).pk)


def test_a_backfill_that_was_paused_and_resumed_sends_no_item_twice(
    sandbox: Sandbox,
    out: str,
    receiving: Processor,
    producer: KafkaEventProducer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("event_bus_kafka.replaying.requested_runs.MOST", 2)
    failing.add(5)
    runner, number = Runner(receiving, lambda: producer), backfill_request()
    runner.had(1)
    assert (progress_of(number).token, progress_of(number).items) == ("2", 2)
    ReplayRequest.objects.pause(number, note="")
    runner.turn()
    assert (runner.replaying, state_of(number)) == (None, "paused")
    ReplayRequest.objects.resume(number)
    Runner(receiving, lambda: producer).go_on_until(lambda: state_of(number) == "done")
    found = progress_of(number)
    assert (found.token, found.done, found.counts) == ("7", 7, {"succeeded": 6, "failed": 1})
    (where, why), *_ = found.problems
    assert (where, why.split()[0]) == ("5", "ValueError")
    assert SandboxBus(sandbox).end_of(out) == 6
    assert heard == [], "receivers in this service get none"


def test_a_backfill_starts_after_the_given_token_and_ends_at_the_given_limit(
    sandbox: Sandbox, out: str, receiving: Processor, producer: KafkaEventProducer
) -> None:
    runner, number = Runner(receiving, lambda: producer), backfill_request(after="3", limit=2)
    runner.go_on_until(lambda: state_of(number) == "done")
    assert (progress_of(number).token, SandboxBus(sandbox).end_of(out)) == ("5", 2)


def test_a_backfill_is_stopped_if_too_many_consecutive_items_fail(receiving: Processor) -> None:
    failing.update(OF_SOURCE)
    runner, number = Runner(receiving), backfill_request(stop_after=4)
    runner.go_on_until(lambda: state_of(number) == "stopped")
    assert (ReplayRequest.objects.get().note, progress_of(number).items) == ("4 items in a row failed", 4)


def test_a_backfill_does_not_start_if_its_source_or_topic_is_missing_or_its_event_type_is_wrong(
    receiving: Processor,
) -> None:
    runner, number = Runner(receiving), backfill_request()
    with override_settings(EVENT_BUS_PRODUCER_CONFIG={}):
        runner.turn()
    assert state_of(number) == "requested"
    RequestedRun.objects.update(arguments={"source": "other.source", "event_type": CREATED})
    runner.turn()
    assert state_of(number) == "requested"
    RequestedRun.objects.update(arguments={"source": SOURCE, "event_type": REVOKED})
    runner.turn()
    assert state_of(number) == "stopped", "it was requested for events of another type"
