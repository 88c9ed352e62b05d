"""
A replay request belongs to one worker while its letters run. If this worker dies, or hangs while no letter runs,
another worker can take the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from pytest_django import DjangoDbBlocker

from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.consuming.progress import Delivery, Detached
from event_bus_kafka.dead_letters.table_store import amend
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.models import DeadLetter, LetterState, ReplayRequest, RequestedLetter
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay
from event_bus_kafka.operations.dead_letters.replay_plan import plan
from event_bus_kafka.operations.dead_letters.replay_result import ReplayResult, change
from event_bus_kafka.operations.dead_letters.request_plan import Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.requests import CANCEL, change_request, report_of
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.replaying.request_run import LetterLanes
from event_bus_kafka.replaying.request_runner import RequestRunner
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.letters import record_of, stored
from tests.support.meanwhile import FIRST, SECOND, meanwhile, seen
from tests.support.meanwhile import service as service
from tests.support.sqlite import on_sqlite


@attrs.define
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Server(Originals):
    """The broker that contains the complete records of letters. While ``is_away`` is true, it does not answer."""

    def __init__(self) -> None:
        super().__init__(reader_for)
        self.is_away = False

    def record_of(self, letter: DeadLetter) -> ConsumerRecord:
        if self.is_away:
            raise BrokerError("_TRANSPORT", "away", retriable=True, kind=Trouble.UNREACHABLE)
        return super().record_of(letter)


class Runner(RequestRunner):
    """The runner of a worker. The test runs the submitted letters."""

    def __init__(self, group: str, replay: LetterReplay) -> None:
        self.submitted: list[Detached] = []
        self.clock = Clock()
        super().__init__(
            group, replay, LetterLanes(submit=self._keep, count=1, connection_max_age=60), clock=self.clock
        )

    def _keep(self, delivery: Delivery) -> None:
        assert isinstance(delivery, Detached)
        self.submitted.append(delivery)

    def begin(self) -> None:
        """Submit the letters that can start, and run the first submitted letter."""
        self.submit(is_busy=False)
        delivery = self.submitted.pop(0)
        delivery.process(delivery)
        delivery.finish()


@pytest.fixture(autouse=True)
def in_a_file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Use a database in a file, because workers ignore replay requests in a database in memory."""
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        yield


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def replay(server: Server) -> Iterator[LetterReplay]:
    with ExitStack() as stack:
        registry = stack.enter_context(closing(registry_of_settings()))
        yield LetterReplay(lambda store: processor("mail", store, registry), server)


def _requested() -> int:
    (request,) = make(plan_request(Selection(), Wish()), Wish())
    return int(request.pk)


@pytest.fixture
def number() -> int:
    """Return the number of a request that has one letter."""
    stored(record_of(7), FIRST)
    return _requested()


def _runners(replay: LetterReplay) -> tuple[Runner, Runner]:
    return Runner("mail", replay), Runner("mail", replay)


def test_no_other_worker_takes_a_request_while_a_letter_of_the_request_is_replayed(
    replay: LetterReplay, number: int
) -> None:
    rows, (one, other) = ReplayRequest.objects, _runners(replay)
    others: list[bool] = []

    def pause_and_resume() -> None:
        rows.pause(number, note="")
        one.turn()
        rows.resume(number)
        rows.filter(pk=number).update(beat_at=1)  # a minute passes
        one.turn()
        other.turn()
        others.append(other.replaying is not None)

    meanwhile["first"] = pause_and_resume
    one.turn()
    one.begin()
    assert (others, seen) == ([False], ["first"])
    one.turn()
    other.turn()
    assert (one.replaying, other.replaying is None, rows.get().state) == (None, True, "done"), "it has let it go"
    assert (RequestedLetter.objects.get().state, DeadLetter.objects.count()) == ("succeeded", 0)


def test_a_worker_that_has_handed_back_a_request_does_not_replay_a_letter_that_waits_for_a_lane(
    replay: LetterReplay, number: int
) -> None:
    one, other = _runners(replay)
    one.turn()
    one.submit(is_busy=False)
    one.hand_back()
    other.turn()
    assert (one.replaying, other.replaying is not None) == (None, True)
    (delivery,) = one.submitted
    delivery.process(delivery)
    assert seen == []
    other.begin()
    assert seen == ["first"]
    one.turn()
    assert one.replaying is None, "a worker that has handed back its request takes no other"


def test_a_worker_hands_back_its_request_if_its_polling_thread_hangs(replay: LetterReplay, number: int) -> None:
    one, other = _runners(replay)
    one.turn()
    one.submit(is_busy=False)
    for seconds, has_it in ((29, True), (2, False), (5, False)):
        one.clock.now += seconds
        one.turn()
        assert (one.replaying is not None) == has_it
    note = ReplayRequest.objects.get().note
    assert "has handed it back: its polling thread has stood still for 30 s" in note
    other.turn()
    (delivery,) = one.submitted
    delivery.process(delivery)
    assert (seen, other.replaying is not None) == ([], True)
    assert ReplayRequest.objects.get().note == ""
    other.hand_back()
    one.submit(is_busy=False)
    one.turn()
    assert one.replaying is not None, "it lives again"


def test_a_hanging_worker_keeps_its_request_while_it_replays_a_letter(replay: LetterReplay, number: int) -> None:
    one, other = _runners(replay)
    taken: list[bool] = []

    def hang() -> None:
        one.clock.now += 300
        ReplayRequest.objects.update(beat_at=1)
        one.turn()
        other.turn()
        taken.append(other.replaying is not None)

    meanwhile["first"] = hang
    one.turn()
    one.begin()
    assert (taken, seen) == ([False], ["first"])
    one.turn()
    assert (one.replaying, ReplayRequest.objects.get().state) == (None, "requested")
    other.turn()
    assert ReplayRequest.objects.get().state == "done"


def test_a_held_request_keeps_its_note_until_a_letter_has_been_replayed(replay: LetterReplay, server: Server) -> None:
    for offset in range(2):
        stored(record_of(7, offset=offset), FIRST)
    _requested()
    runner = Runner("mail", replay)
    server.is_away = True
    for times in range(1, 8):
        runner.turn()
        runner.begin()
        runner.turn()
        assert (runner.replaying is not None and runner.replaying.holds) == times
        assert "_TRANSPORT" in ReplayRequest.objects.get().note
        runner.clock.now += 61
        runner.submit(is_busy=False)
    server.is_away = False
    runner.turn()
    assert "_TRANSPORT" in ReplayRequest.objects.get().note, "no letter has run since"
    runner.begin()
    assert runner.replaying is not None
    assert runner.replaying.holds == 0
    runner.turn()
    assert (ReplayRequest.objects.get().note, ReplayRequest.objects.get().state) == ("", "running")


def _die_at_a_letter(replay: LetterReplay) -> None:
    """Let a worker take the request and die while the only letter runs."""
    runner = Runner("mail", replay)
    meanwhile["first"] = _raise
    runner.turn()
    with pytest.raises(KeyboardInterrupt):
        runner.begin()
    requested = RequestedLetter.objects.get()
    failures = [one | {"claimed_until": requested.claim} for one in DeadLetter.objects.get().failures]
    DeadLetter.objects.update(failures=failures)  # as a killed process would leave it
    assert requested.state == LetterState.RUNNING


def _raise() -> None:
    raise KeyboardInterrupt


def _fail_again() -> None:
    letter = DeadLetter.objects.get()
    amend(letter, lambda row: attrs.evolve(change(row, plan(row), ReplayResult()), failed_at=datetime.now(UTC)))


@pytest.mark.parametrize(
    ("becomes", "state"),
    [
        (lambda: None, LetterState.UNKNOWN),
        (lambda: DeadLetter.objects.all().delete(), LetterState.SUCCEEDED),
        (_fail_again, LetterState.FAILED),
    ],
    ids=["the dead letter is unchanged", "the dead letter is gone", "the dead letter failed again"],
)
def test_a_letter_of_a_cancelled_request_gets_a_result_if_its_worker_dies_during_the_replay(
    replay: LetterReplay, number: int, becomes: Callable[[], object], state: LetterState
) -> None:
    _die_at_a_letter(replay)
    change_request(CANCEL, number, "anna")
    becomes()
    Runner("mail", replay).turn()
    assert RequestedLetter.objects.get().state == LetterState.RUNNING, "its worker may be alive"
    ReplayRequest.objects.update(beat_at=1)
    found = report_of(number)
    assert found is not None
    assert (found.counts, found.done) == ({LetterState.UNKNOWN: 1}, 1), "the report needs no living worker"
    Runner("other", replay).turn()
    assert RequestedLetter.objects.get().state == LetterState.RUNNING
    Runner("mail", replay).turn()
    letter = RequestedLetter.objects.get()
    assert (letter.state, bool(letter.error)) == (state, state != LetterState.SUCCEEDED)
    RequestedLetter.objects.end(letter, letter.claim, LetterState.SKIPPED, "")
    assert RequestedLetter.objects.get().state == state, "a result is final"


def test_a_worker_does_not_take_a_request_for_a_receiver_that_it_lacks(replay: LetterReplay) -> None:
    stored(record_of(7), "gone.receiver")
    _requested()
    runner = Runner("mail", replay)
    runner.turn()
    assert runner.replaying is None


def test_a_letter_is_partly_done_if_it_stays_for_a_receiver_of_another_service(
    replay: LetterReplay,
) -> None:
    stored(record_of(7), FIRST, "studio.receiver")
    stored(record_of(8, offset=1), FIRST, SECOND)
    number, runner = _requested(), Runner("mail", replay)
    runner.turn()
    runner.begin()
    runner.begin()
    runner.turn()
    found = report_of(number)
    assert found is not None
    assert (found.request.state, found.done, found.counts) == ("done", 2, {"partly": 1, "succeeded": 1})
    assert RequestedLetter.objects.get(state="partly").error == "succeeded here; stays for studio.receiver"
