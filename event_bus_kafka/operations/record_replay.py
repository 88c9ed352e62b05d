"""Replays records of a topic: calls this service's receivers with the records again. No consumer group is involved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import attrs
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.consuming import reporting
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Work
from event_bus_kafka.dead_letters.letter import Failure, Letter, Store
from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import Hold
from event_bus_kafka.dispatching.replay_context import replay_context
from event_bus_kafka.kafka.offsets import Partition, Range
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.operations.attempt import OneAttempt, Skipped, server_away
from event_bus_kafka.operations.records import Wanted, read
from event_bus_kafka.wire.records import ConsumerRecord
from event_bus_kafka.wire.serde import SchemaIds

Failures = tuple[Failure, ...]


@attrs.frozen
class Listening:
    """The receivers of one event type, or the reason why there are none."""

    receivers: tuple[str, ...] = ()
    reason: str = ""
    """Why no receiver would get events of the type; empty: ``receivers`` would get them."""


@attrs.define(kw_only=True)
class ReplayProgress:
    """The progress of a replay of records."""

    left: dict[Partition, Range]
    """Partition → range of the offsets that are still to be read."""
    replayed: int = 0
    failed: int = 0
    undecodable: int = 0
    skipped: Counter[str] = attrs.field(factory=Counter)
    """Reason → number of records that were skipped."""

    @property
    def offsets_left(self) -> int:
        return sum(offsets.end - offsets.start for offsets in self.left.values())

    def note(self, failures: Failures) -> None:
        """
        Count a record after its attempt, also if the record was skipped. ``failures``: the failures of its receivers or
        of its decoding.
        """
        undecodable = any(not failure.receiver for failure in failures)
        self.replayed += 1
        self.undecodable += undecodable
        self.failed += bool(failures) and not undecodable

    def pass_over(self, record: ConsumerRecord) -> None:
        """Remove the offsets up to ``record`` from :attr:`left`, because the record needs no further attempt."""
        name = record.topic, record.partition
        self.left[name] = Range(record.offset + 1, self.left[name].end)


class RecordReplay:
    """
    Calls receivers with records, on the calling thread. ``receiver``: name of the only receiver that is called; None:
    all receivers. ``processor`` is called with a store of dead letters, and returns a processor that uses this store.
    """

    def __init__(self, processor: Callable[[Store], Processor], receiver: str | None, progress: ReplayProgress) -> None:
        self._receiver = receiver
        self._progress = progress
        self._attempt = OneAttempt(lambda store: replaying(processor(store)))

    def records(
        self, reader: Reader, wanted: Wanted, registry: SchemaIds, *, stop_on_error: bool
    ) -> Iterator[tuple[ConsumerRecord, Failures]]:
        """
        Replay the remaining records that match ``wanted``, partition by partition. Yield each record that was read,
        with the failures of its receivers or of its decoding. A record that does not match is yielded without failures.

        ``stop_on_error``: stop at the first record with a failure. A replay that continues from the same progress
        begins with this record.

        Raises :class:`WorkerFailed` if a receiver raises SystemExit or GeneratorExit, or if a server is unreachable
        while a record is processed. Raises :class:`BrokerError` if records cannot be read, and
        :class:`SchemaRegistryError` if ``wanted`` selects by key and the schema of a record's key cannot be fetched.
        """
        for name, offsets in list(self._progress.left.items()):
            for record in read(reader, {name: offsets}):
                failures = self._replay(record) if wanted.fits(record, registry) else ()
                is_last = bool(failures) and stop_on_error
                if not is_last:
                    self._progress.pass_over(record)
                yield record, failures
                if is_last:
                    return
            del self._progress.left[name]

    def _replay(self, record: ConsumerRecord) -> Failures:
        outcome = self._attempt.make(Work(record), lambda signal: receivers_of(signal, self._receiver))
        if isinstance(outcome, Hold):
            raise server_away(outcome)
        if isinstance(outcome, Skipped):
            self._progress.skipped[outcome.reason] += 1
        failures = outcome.failures if isinstance(outcome, Letter) else ()
        self._progress.note(failures)
        return failures


def replaying(processor: Processor) -> Processor:
    """
    Return a processor for records that are replayed. Receivers can detect the replay, and a failure is reported as a
    failed replay.
    """
    return attrs.evolve(processor, skip_unknown_types=True, context=replay_context, stored=reporting.replay_failed)


def receivers_of(signal: OpenEdxPublicSignal, name: str | None) -> list[Receiver]:
    """Return the receivers of a signal. ``name``: the only receiver to return; None: all."""
    return [receiver for receiver in dispatch.receivers_of(signal) if name in (None, receiver.name)]


def listening(event_type: str, name: str | None) -> Listening:
    """Return the receivers that would get events of a type. ``name``: the only receiver to consider; None: all."""
    signal = dispatch.signal_named(event_type)
    if signal is None:
        return Listening(reason="not registered in this service")
    if not dispatch.is_enabled(signal):
        return Listening(reason="its signal is disabled")
    receivers = tuple(receiver.name for receiver in receivers_of(signal, name))
    return Listening(receivers, "" if receivers else "nobody here listens")


def exists(receiver: str) -> bool:
    """Whether a receiver of this name is connected to any signal in this service."""
    return any(receivers_of(signal, receiver) for signal in dispatch.signals())
