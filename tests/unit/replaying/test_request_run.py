"""The run of a replay request submits letters as fast as lanes, rate and load allow, and each letter gets a result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.consuming.progress import Delivery, Detached
from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.models import DeadLetter, LetterState, ReplayRequest, RequestedLetter
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay
from event_bus_kafka.operations.dead_letters.request_plan import Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.replaying.halts import Halt, HaltKind
from event_bus_kafka.replaying.request_run import LetterLanes, RequestRun
from event_bus_kafka.replaying.requested_letter_run import RequestedLetterRun
from event_bus_kafka.trouble import Trouble
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.letters import record_of, stored
from tests.support.meanwhile import FIRST, SECOND, first, meanwhile, seen
from tests.support.meanwhile import service as service

pytestmark = pytest.mark.django_db(transaction=True)


_open: list[SchemaRegistry] = []


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Close the registries that the test has opened."""
    yield
    while _open:
        _open.pop().close()


class Turns:
    """The run of a replay request. The test runs the submitted letters and sets the clock."""

    def __init__(self, *, lanes: int = 1, request: ReplayRequest | None = None, **wish: Any) -> None:
        self.now = 1000.0
        self.submitted: list[Detached] = []
        values = {"rate": None, "stop_after": 20, "receiver": ""} | wish
        self.request = request or ReplayRequest(group="mail", receivers=[], **values)
        _open.append(registry_of_settings())
        replay = LetterReplay(lambda store: processor("mail", store, _open[-1]), Originals(reader_for))
        self.letters = RequestedLetterRun(replay=replay, alias="default", receiver=self.request.receiver)
        on = LetterLanes(submit=self._keep, count=lanes, connection_max_age=60)
        self.run = RequestRun(self.request, self.letters, on, lambda: self.now)
        self.run.keep_on(self.now)

    def _keep(self, delivery: Delivery) -> None:
        assert isinstance(delivery, Detached)
        self.submitted.append(delivery)

    def fill(self, count: int) -> None:
        self.run.fill([(_letter(number), b"key") for number in range(count)], is_all=True)

    def submit(self, *, is_busy: bool = False) -> int:
        """Submit the letters that can start now; return the number of letters submitted so far."""
        self.run.submit(is_busy=is_busy)
        return len(self.submitted)

    def end(self, delivery: Detached, *, took: float = 0.0) -> None:
        """
        Run a submitted letter for ``took`` seconds on the test's clock. The table of dead letters has no such letter,
        so nothing is replayed.
        """
        before, clock = self.now, self.run._clock
        self.run._clock = iter([before, before + took]).__next__
        delivery.process(delivery)
        self.run._clock = clock
        delivery.finish()
        self.now += took


def _letter(number: int) -> RequestedLetter:
    place = {"topic": "t", "partition": 0, "offset": number, "event_type": "e"}
    return RequestedLetter(
        request_id=1, number=number, letter=10**9, failed_at=datetime.now(UTC), state=LetterState.WAITING, **place
    )


def test_an_idle_worker_replays_one_letter_per_lane() -> None:
    turns = Turns(lanes=2)
    turns.fill(10)
    assert (turns.submit(), turns.submit()) == (2, 2)
    turns.end(turns.submitted[0])
    assert turns.submit() == 3


def test_a_busy_worker_replays_one_letter_at_a_time_and_rests_between_letters() -> None:
    turns = Turns(lanes=4)
    turns.fill(10)
    assert turns.submit(is_busy=True) == 1
    turns.end(turns.submitted[0], took=2.0)
    for later, submitted in ((0.0, 1), (9.0, 1), (1.1, 2)):
        turns.now += later
        assert turns.submit(is_busy=True) == submitted, "it rests five times as long as it took"


def test_replays_of_letters_start_no_faster_than_the_given_rate_even_after_a_delay() -> None:
    turns = Turns(lanes=40, rate=2.0)
    turns.fill(100)
    assert turns.submit() == 1
    turns.now += 5
    assert turns.submit() <= 5


def test_letters_that_wait_for_their_keys_do_not_prevent_other_letters_from_starting() -> None:
    turns = Turns()
    turns.fill(300)
    assert turns.submit() == 1
    turns.now += 6
    assert turns.submit() == 2
    for _ in range(100):
        turns.now += 6
        turns.submit()
    assert len(turns.submitted) == 100


def test_a_worker_without_a_heartbeat_for_30_seconds_replays_no_more_letters() -> None:
    turns = Turns()
    turns.fill(3)
    turns.submit()
    turns.now += 29
    turns.end(turns.submitted[0])
    assert (turns.run.halt, turns.run.ended) == (None, 1)
    turns.submit()
    turns.now += 2
    turns.end(turns.submitted[1])
    assert turns.run.halt is not None
    assert (turns.run.halt.kind, turns.run.ended) == (HaltKind.HELD, 1)


def test_submitted_letters_are_not_replayed_after_their_request_was_halted() -> None:
    turns = Turns()
    turns.fill(3)
    turns.submit()
    turns.run.end(Halt(HaltKind.LOST))
    turns.end(turns.submitted[0])
    assert (turns.run.ended, turns.submit(), list(turns.run.running)) == (0, 1, [])


def _requested(**wish: Any) -> tuple[Turns, RequestedLetter]:
    """
    Create a request for all letters with the options in ``wish``. Return a run of the request, and the first letter of
    the request.
    """
    wanted = Wish(**wish)
    (request,) = make(plan_request(Selection(), wanted), wanted)
    return Turns(request=request), RequestedLetter.objects.order_by("number")[0]


def _state(turns: Turns, letter: RequestedLetter) -> tuple[Any, str]:
    came_of_it = turns.letters.run(RequestedLetter.objects.get(pk=letter.pk), lambda _: None)
    return came_of_it, RequestedLetter.objects.get(pk=letter.pk).error


def test_a_letter_is_skipped_if_it_failed_again_after_the_request() -> None:
    stored(record_of(7), FIRST)
    turns, letter = _requested()
    stored(record_of(7), FIRST, failed_at=datetime.now(UTC))
    state, error = _state(turns, letter)
    assert (state, "failed again" in error, seen) == (LetterState.SKIPPED, True, [])


def test_a_deleted_letter_counts_as_succeeded_only_if_its_replay_had_started() -> None:
    stored(record_of(7), FIRST)
    turns, letter = _requested()
    DeadLetter.objects.all().delete()
    assert _state(turns, letter)[0] == LetterState.SKIPPED
    RequestedLetter.objects.update(state=LetterState.RUNNING)
    assert _state(turns, letter) == (LetterState.SUCCEEDED, "")


def test_a_letter_counts_as_failed_after_three_workers_died_while_replaying_the_letter() -> None:
    stored(record_of(7), FIRST)
    turns, letter = _requested()
    claims: list[str] = []

    def die() -> None:
        claims.append(DeadLetter.objects.get().failures[0]["claimed_until"])
        raise KeyboardInterrupt

    meanwhile["first"] = die
    for _ in range(3):
        with suppress(KeyboardInterrupt):
            turns.letters.run(RequestedLetter.objects.get(), lambda _: None)
        (failure,) = DeadLetter.objects.get().failures
        DeadLetter.objects.update(failures=[failure | {"claimed_until": claims[-1]}])  # as a killed process leaves it
    assert len(set(claims)) == 3
    meanwhile.clear()
    assert _state(turns, letter) == (LetterState.FAILED, "its worker ended 3 times while the letter ran")


def test_a_letter_is_skipped_if_another_replay_has_claimed_it() -> None:
    stored(record_of(7), FIRST)
    turns, letter = _requested()
    until = datetime(2999, 1, 1, tzinfo=UTC).isoformat(timespec="microseconds")
    DeadLetter.objects.update(failures=[{"receiver": FIRST, "error": "", "place": "", "claimed_until": until}])
    state, error = _state(turns, letter)
    assert (state, "another process" in error, seen) == (LetterState.SKIPPED, True, [])


def test_a_letter_stays_for_the_other_receiver_after_a_request_for_one_receiver() -> None:
    stored(record_of(7), FIRST, SECOND)
    turns, letter = _requested(receiver=SECOND)
    assert _state(turns, letter) == (LetterState.PARTLY, f"succeeded here; stays for {FIRST}")
    assert (seen, DeadLetter.objects.get().failed_receivers) == (["second"], [FIRST])


@pytest.mark.parametrize("is_written", [True, False], ids=["result written", "result not written"])
def test_a_letter_of_a_dead_worker_has_an_unknown_state_unless_its_result_was_written(
    is_written: bool,
) -> None:
    stored(record_of(7), FIRST, SECOND)
    turns, letter = _requested(receiver=FIRST)
    until = datetime(2999, 1, 1, tzinfo=UTC).isoformat(timespec="microseconds")
    RequestedLetter.objects.update(state=LetterState.RUNNING, claim=until)
    left = [one for one in DeadLetter.objects.get().failures if one["receiver"] == SECOND or not is_written]
    DeadLetter.objects.update(failures=[one | {"claimed_until": "" if is_written else until} for one in left])
    CERTIFICATE_CREATED.disconnect(first)
    state, error = _state(turns, letter)
    assert (state, seen) == (LetterState.PARTLY if is_written else LetterState.UNKNOWN, [])
    assert (SECOND if is_written else "does not listen here") in error


class _Refused(Originals):
    """A reader that raises ``error`` in place of reading a record."""

    def __init__(self, error: Exception) -> None:
        super().__init__(reader_for)
        self._error = error

    def record_of(self, letter: DeadLetter) -> ConsumerRecord:
        raise self._error


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (BrokerError("_TRANSPORT", "away", retriable=True, kind=Trouble.UNREACHABLE), LetterState.WAITING),
        (BrokerError("TOPIC_AUTHORIZATION_FAILED", "no", retriable=True, kind=Trouble.FORBIDDEN), LetterState.FAILED),
        (BrokerError("_INVALID_ARG", "no"), LetterState.FAILED),
        (ZeroDivisionError(), LetterState.FAILED),
    ],
)
def test_a_letter_fails_after_a_permanent_error_and_waits_after_a_transient_error(
    error: Exception, state: LetterState
) -> None:
    stored(record_of(7), FIRST)
    _, letter = _requested()
    registry = registry_of_settings()
    _open.append(registry)
    replay = LetterReplay(lambda store: processor("mail", store, registry), _Refused(error))
    with suppress(ZeroDivisionError):
        RequestedLetterRun(replay=replay, alias="default", receiver="").run(letter, lambda _: None)
    letter.refresh_from_db()
    assert (letter.state, bool(letter.error)) == (state, state == LetterState.FAILED)
