"""Creates requests for replays of topics, and a worker that processes records only when the test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from time import monotonic, sleep
from typing import Any

from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Delivery, Detached
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.entry_points import create_producer
from event_bus_kafka.kafka.offsets import Range
from event_bus_kafka.models import ReplayRequest, RequestedRun
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import RunWish, TopicArguments, request_run
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.replaying.request_run import LetterLanes
from event_bus_kafka.replaying.request_runner import RequestRunner
from event_bus_kafka.replaying.requested_runs import RequestedRuns
from tests.projects.process import PATIENCE


class NoStore:
    """
    A store of dead letters that must not be used, because a failed record of a replay never becomes a dead letter.
    """

    def store(self, letter: Letter) -> None:
        raise AssertionError(letter.record.coordinates)


class Runner(RequestRunner):
    """
    The request runner of a worker. A lane would run the submitted parts of a replay or backfill; here :meth:`begin`
    runs them.
    """

    def __init__(
        self,
        receiving: Processor,
        producer: Callable[[], KafkaEventProducer] = create_producer,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.submitted: list[Detached] = []
        lanes = LetterLanes(submit=self._keep, count=1, connection_max_age=60)
        runs = RequestedRuns(receiving, lambda: reader_for("replay_events"), producer)
        replay = LetterReplay(lambda store: receiving, Originals(reader_for))
        super().__init__(receiving.group, replay, lanes, runs=runs, clock=clock)

    def _keep(self, delivery: Delivery) -> None:
        assert isinstance(delivery, Detached)
        self.submitted.append(delivery)

    def begin(self, most: int = 1_000_000) -> int:
        """
        Run the parts that the requests submit now, until none is left or ``most`` parts have run. A part is a record of
        a replay or a batch of a backfill. Return how many parts ran.
        """
        done = 0
        while done < most:
            self.submit(is_busy=False)
            if not self.submitted:
                break
            delivery = self.submitted.pop(0)
            delivery.process(delivery)
            delivery.finish()
            done += 1
        return done

    def go_on_until(self, condition: Callable[[], Any], *, each: int = 1_000_000) -> None:
        """
        Work like a worker until ``condition`` holds. At most ``each`` parts run between two saves of the progress.
        """
        deadline = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < deadline, list(ReplayRequest.objects.values("state", "note"))
            self.turn()
            self.begin(each)
            sleep(0.01)

    def had(self, count: int) -> None:
        """Run ``count`` parts, then save the progress."""
        deadline, done = monotonic() + PATIENCE, 0
        while done < count:
            assert monotonic() < deadline
            self.turn()
            done += self.begin(count - done)
            sleep(0.01)
        self.turn()


@contextmanager
def processing(group: str) -> Iterator[Processor]:
    """Yield the processor that a worker of the group has with the current settings."""
    with closing(registry_of_settings()) as registry:
        yield processor(group, NoStore(), registry)


def topic_request(topic: str, start: int, end: int, group: str = "mail", **values: Any) -> int:
    """
    Request a replay of the offsets from ``start`` to ``end`` (excluded) of a topic's first partition; return the number
    of the request.
    """
    arguments = TopicArguments(topic=topic, **values.pop("arguments", {}))
    progress = RunProgress.of_ranges({(topic, 0): Range(start, end)})
    return int(request_run(RunWish(arguments=arguments, progress=progress, group=group, **values)).pk)


def state_of(number: int) -> str:
    return str(ReplayRequest.objects.get(pk=number).state)


def progress_of(number: int) -> RunProgress:
    """Return the saved progress of a request."""
    return RunProgress.of(RequestedRun.objects.get(request=number).progress)
