"""Tests of which worker holds a replay request while its letters run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.consuming.progress import Delivery, Detached
from event_bus_kafka.models import DeadLetter, ReplayRequest, RequestedLetter
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay
from event_bus_kafka.operations.dead_letters.request_plan import Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.replaying.request_run import LetterLanes
from event_bus_kafka.replaying.request_runner import RequestRunner
from tests.support.letters import record_of, stored
from tests.support.meanwhile import FIRST, meanwhile, seen
from tests.support.meanwhile import service as service

pytestmark = pytest.mark.django_db(transaction=True)


class Runner(RequestRunner):
    """The runner of a worker. The test runs the submitted letters."""

    def __init__(self, group: str, replay: LetterReplay) -> None:
        self.submitted: list[Detached] = []
        super().__init__(group, replay, LetterLanes(submit=self._keep, count=1, connection_max_age=60))

    def _keep(self, delivery: Delivery) -> None:
        assert isinstance(delivery, Detached)
        self.submitted.append(delivery)

    def begin(self) -> None:
        """Run the next submitted letter."""
        self.submit(is_busy=False)
        delivery = self.submitted.pop(0)
        delivery.process(delivery)
        delivery.finish()


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the database in memory. Workers do not use such a database, but in these tests only one thread writes."""
    monkeypatch.setattr("event_bus_kafka.replaying.request_runner.alias_of", lambda _model: "default")


@pytest.fixture
def replay() -> Iterator[LetterReplay]:
    with ExitStack() as stack:
        registry = stack.enter_context(closing(registry_of_settings()))
        yield LetterReplay(lambda store: processor("mail", store, registry), Originals(reader_for))


def _requested() -> ReplayRequest:
    (request,) = make(plan_request(Selection(), Wish()), Wish())
    return request


def test_no_other_worker_takes_a_request_while_one_of_its_letters_runs(
    replay: LetterReplay,
) -> None:
    group = stored(record_of(7), FIRST).group
    number, rows = _requested().pk, ReplayRequest.objects
    one, other = Runner(group, replay), Runner(group, replay)
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
