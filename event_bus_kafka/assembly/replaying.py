"""
Creates the part of a worker that runs replay requests. Imports models, so import this module only if the app is
installed.
"""

from __future__ import annotations

from contextlib import ExitStack, closing

from event_bus_kafka.assembly import housekeeping
from event_bus_kafka.assembly.housekeeping import periodically
from event_bus_kafka.assembly.reading import reader_for, small_reader_for
from event_bus_kafka.assembly.sending import producer
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.replaying.request_run import LetterLanes
from event_bus_kafka.replaying.request_runner import RequestRunner
from event_bus_kafka.replaying.requested_runs import RequestedRuns

_GROUP = "replay_events"
"""A group id, which Kafka's client requires. Nothing is ever committed for this group."""


def request_runner(receiving: Processor, scheduler: Scheduler, at_end: ExitStack) -> RequestRunner:
    """
    Return a runner that runs replay requests on a worker's lanes until ``at_end`` closes. ``receiving`` must have no
    guards, because failures in replays must neither open a circuit nor count for the limit of dead letters.
    """
    originals = at_end.enter_context(closing(Originals(reader_for)))
    replay = LetterReplay(lambda store: receiving, originals)
    lanes = LetterLanes(
        submit=scheduler.submit,
        count=len(scheduler.lanes),
        connection_max_age=receiving.connection_max_age,
        records=lambda: [lane.running for lane in scheduler.lanes],
    )
    runs = RequestedRuns(receiving, lambda: small_reader_for(_GROUP), producer)
    runner = RequestRunner(receiving.group, replay, lanes, runs=runs)
    name = "Replay requests could not be checked"
    keeper = housekeeping.claim_keeper
    periodically(at_end, lambda: runner.turn_every, name, runner.turn, last=runner.hand_back, keeper=keeper)
    return runner
