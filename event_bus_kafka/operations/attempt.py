"""
Processes a record once, for a replay. A record that fails is neither retried nor stored as a dead letter; the failure
is returned.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.consuming import reporting
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress, Work
from event_bus_kafka.db_connections import open_connections
from event_bus_kafka.dead_letters.letter import Letter, Store
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import Hold
from event_bus_kafka.dispatching.retry import RetryPolicies, RetryPolicy
from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.telemetry import flush_observers
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.wire.records import ConsumerRecord

_POLICIES = RetryPolicies(default=RetryPolicy(attempts=1, first_delay=0, factor=1, max_delay=0, jitter=0))
_OUTAGE_EXIT_CODE, _FAILED_EXIT_CODE = 1, 3


@attrs.frozen
class Skipped:
    """The result of an attempt at a record that workers skip, for example because no receiver is connected."""

    reason: str


class OneAttempt:
    """
    Processes single records on the calling thread. ``processor`` is called with a store of dead letters, and returns a
    processor that uses this store.
    """

    def __init__(self, processor: Callable[[Store], Processor]) -> None:
        self._processor = attrs.evolve(processor(_Caught()), policies=_POLICIES)
        open_connections.adopt()

    def make(
        self, work: Work, receivers_of: Callable[[OpenEdxPublicSignal], list[Receiver]]
    ) -> Letter | Hold | Skipped | None:
        """
        Process the record of ``work`` with the receivers that ``receivers_of`` returns. Return :class:`Hold` if a
        server is unreachable, and :class:`Skipped` if a worker would skip the record. If the record failed, return its
        dead letter, without storing it. Otherwise return None.

        Raises :class:`WorkerFailed` if a receiver raises SystemExit or GeneratorExit.
        """
        caught, record = _Caught(), work.record
        delivery = Delivery.of(record, PartitionProgress(record.topic, record.partition))
        delivery.work, work.is_early = work, True
        processor = attrs.evolve(
            self._processor, dead_letters=caught, receivers_of=receivers_of, passed_over=caught.pass_over
        )
        try:
            outcome = processor.process(delivery)
        except (SystemExit, GeneratorExit) as error:
            receiver = delivery.running or "a receiver"
            raise WorkerFailed(f"{receiver} raised {type(error).__name__}", exit_code=_FAILED_EXIT_CODE) from error
        finally:
            flush_observers()
        return outcome if isinstance(outcome, Hold) else caught.letter or caught.skipped


def server_away(outcome: Hold) -> WorkerFailed:
    """
    Return the exception that ends a replay because a server is unreachable. ``outcome``: the result of the attempt.
    """
    return WorkerFailed(f"a server is away: {error_text(outcome.error)}", exit_code=_OUTAGE_EXIT_CODE)


class _Caught:
    """A store of dead letters in memory. It keeps only the last letter, or the reason why a record was skipped."""

    letter: Letter | None = None
    skipped: Skipped | None = None

    def store(self, letter: Letter) -> None:
        self.letter = letter

    def pass_over(self, record: ConsumerRecord, reason: str) -> None:
        self.skipped = Skipped(reason)
        reporting.skipped(record, reason)
