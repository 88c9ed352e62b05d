"""
Whether an event is retried, held or given up depends on the errors, circuits and pauses of its receivers. All tests but
one call the processor without a scheduler.
"""

from __future__ import annotations

import gc
import threading
import weakref
from asyncio import CancelledError
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
from django.core.cache import caches
from django.db import connections
from django.db.utils import ConnectionHandler
from django.test import override_settings
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED
from openedx_events.tooling import OpenEdxPublicSignal
from pytest_django import DjangoDbBlocker

from event_bus_kafka.conf.policies import CIRCUIT_DEFAULTS, RETRY_DEFAULTS
from event_bus_kafka.consuming.dead_letter_limit import DeadLetterLimit
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dispatching.circuit import CircuitPolicy
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import DONE, Hold, Retry
from event_bus_kafka.dispatching.pauses import Pauses
from event_bus_kafka.dispatching.receiver_gate import ReceiverGate
from event_bus_kafka.dispatching.retry import RetryPolicies
from event_bus_kafka.errors import DeadLetterStoreFailed, SchemaRegistryError
from event_bus_kafka.telemetry import events, observe, unobserve
from event_bus_kafka.telemetry.health import Health
from event_bus_kafka.telemetry.logs import LoggingObserver
from event_bus_kafka.telemetry.metrics import RECORDS_RETRIED
from event_bus_kafka.telemetry.monitoring import MONITORED, monitor
from event_bus_kafka.telemetry.tallies import tallies
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.databases import none_known
from tests.support.examples_of import certificate
from tests.support.received import CODEC, FRAME, HEADERS, Registry
from tests.support.signals import grade, graded
from tests.support.sqlite import on_sqlite
from tests.support.tracing import Span, span, spans
from tests.support.watching import nobody_else_observing, watched

CIRCUIT = CircuitPolicy(failures=4, keys=3, probe_every=10)


@attrs.define
class Service:
    """
    A service with two receivers that fail as configured. It counts the calls of each receiver by user id, and serves as
    the schema registry and the store of dead letters.
    """

    failing: dict[str, type[BaseException]] = attrs.field(factory=dict)
    broken: frozenset[int] = frozenset()
    """The users for whom all receivers fail."""
    seen: Counter[tuple[str, int]] = attrs.field(factory=Counter)
    letters: list[Letter] = attrs.field(factory=list)
    store_fails: bool = False
    registry_fails: bool = False
    paused: frozenset[str] = frozenset()
    now: float = 0.0
    chance: Callable[[], float] = lambda: 0.0
    health: Health = attrs.field(factory=Health)
    begin: Callable[[str], object] = lambda _name: None

    def processor(self, **changes: Any) -> Processor:
        gate = ReceiverGate(
            CIRCUIT,
            health=self.health,
            paused=lambda: self.paused,
            clock=lambda: self.now,
            chance=lambda: self.chance(),
        )
        values: dict[str, Any] = {
            "group": "g",
            "registry": self,
            "policies": RetryPolicies.of(RETRY_DEFAULTS | {"attempts": 3, "jitter": 0, "final": [KeyError]}, {}),
            "dead_letters": self,
            "short_topic": str,
            "receivers_of": self.receivers,
            "gate": gate,
            "health": self.health,
        }
        return Processor(**values | changes)

    def receivers(self, _signal: OpenEdxPublicSignal) -> list[Receiver]:
        return [Receiver(self._receiver(name), name) for name in ("first", "second")]

    def names(self, *receivers: str) -> list[str]:
        return [one.name for one in self.receivers(CERTIFICATE_CREATED) if one.dispatch_uid in receivers]

    def store(self, letter: Letter) -> None:
        if self.store_fails:
            raise DeadLetterStoreFailed("away")
        self.letters.append(letter)

    def id_of(self, subject: str, schema: str, until: float = inf) -> int:
        return 1

    def schema_of(self, schema_id: int) -> str:
        if self.registry_fails:
            raise SchemaRegistryError("away", retriable=True)
        return CODEC.schema

    def _receiver(self, name: str) -> Callable[..., None]:
        def receive(certificate: CertificateData, **_: Any) -> None:
            self.seen[name, certificate.user.id] += 1
            self.begin(name)
            if name in self.failing:
                raise self.failing[name]
            if certificate.user.id in self.broken:
                raise ValueError

        return receive


PARTITION = ("t", 0)


def delivery(user: int, partition: PartitionProgress | None = None, *, value: bytes | None = None) -> Delivery:
    body = FRAME + CODEC.encode({"certificate": certificate(user)}) if value is None else value
    record = ConsumerRecord(
        topic="t", partition=0, offset=user, timestamp=None, key=b"%d" % user, value=body, headers=HEADERS
    )
    return Delivery.of(record, partition or PartitionProgress(*PARTITION))


def attempts_at(one: Delivery) -> int:
    assert one.work is not None
    return one.work.past.attempts


def opened(service: Service, processor: Processor) -> list[Delivery]:
    """Process four failing events, of which the last opens the circuit of the first receiver. Return the events."""
    service.failing = {"first": ValueError}
    deliveries = [delivery(user) for user in range(4)]
    outcomes = [processor.process(one) for one in deliveries]
    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Retry, Hold]
    return deliveries


@pytest.fixture
def service() -> Service:
    return Service()


def test_ten_failing_events_open_the_circuit_without_a_dead_letter_by_default(service: Service) -> None:
    policies = RetryPolicies.of(RETRY_DEFAULTS, {})
    processor = service.processor(gate=ReceiverGate(CircuitPolicy(**CIRCUIT_DEFAULTS)), policies=policies)
    service.failing = {"first": ValueError}
    outcomes = [type(processor.process(delivery(user))) for user in range(12)]
    assert outcomes == [Retry] * 9 + [Hold] * 3
    assert service.letters == []


def test_an_event_is_held_for_the_open_circuit_of_one_receiver_while_the_other_receiver_runs_once(
    service: Service,
) -> None:
    processor = service.processor()
    opened(service, processor)
    late = delivery(9)
    assert all(isinstance(processor.process(late), Hold) for _ in range(5))
    assert (service.seen["first", 9], service.seen["second", 9], attempts_at(late)) == (0, 1, 0)
    service.failing = {}
    service.now = 10
    assert processor.process(late) == DONE
    assert (service.seen["first", 9], service.seen["second", 9]) == (1, 1)


def test_only_one_of_the_held_events_becomes_the_next_probe(service: Service) -> None:
    processor = service.processor()
    held = opened(service, processor)
    service.now = 4
    outcome = processor.process(held[0])
    assert isinstance(outcome, Hold)
    assert outcome.delay == 6
    service.now = 10
    calls = service.seen.total()
    assert all(isinstance(processor.process(one), Hold) for one in held)
    assert service.seen.total() == calls + 1


@pytest.mark.parametrize("seed", range(10))
def test_an_event_becomes_a_probe_and_succeeds_although_events_of_other_keys_always_fail(
    service: Service, seed: int
) -> None:
    processor = service.processor()
    service.chance, service.broken = Random(seed).random, frozenset(range(4))
    due = [(0.0, number, delivery(number)) for number in (*range(4), 9)]
    for number in range(10, 2_000):
        service.now, _, one = heappop(due)
        outcome = processor.process(one)
        if one.offset == 9 and outcome == DONE:
            return
        assert isinstance(outcome, (Hold, Retry))
        heappush(due, (service.now + outcome.delay, number, one))
    pytest.fail("the event that would succeed was never tried")


def test_an_open_circuit_prevents_dead_letters_for_exhausted_attempts_and_final_errors(
    service: Service,
) -> None:
    processor = service.processor()
    held = opened(service, processor)
    service.failing = {"first": KeyError}
    for number in range(1, 20):
        service.now = 10 * number
        assert isinstance(processor.process(held[0]), Hold)
    assert service.seen["first", 0] == 20
    assert (service.letters, attempts_at(held[0])) == ([], 1)


def test_opening_and_closing_the_circuit_does_not_reset_the_number_of_attempts(service: Service) -> None:
    processor = service.processor()
    held = opened(service, processor)
    service.failing = {}
    service.now = 10
    assert processor.process(held[1]) == DONE
    service.failing = {"first": ValueError}
    assert isinstance(processor.process(held[0]), Retry)
    assert processor.process(held[0]) == DONE
    assert [(letter.record.offset, letter.attempts) for letter in service.letters] == [(0, 3)]


def test_attempts_of_a_receiver_are_counted_while_the_circuit_of_another_receiver_is_open(service: Service) -> None:
    processor = service.processor()
    opened(service, processor)
    service.failing["second"] = ValueError
    late = delivery(9)
    outcomes = [type(processor.process(late)) for _ in range(6)]
    assert outcomes == [Retry, Retry, Hold, Hold, Hold, Hold]
    assert service.seen["second", 9] == 3
    service.failing = {}
    service.now = 10
    assert processor.process(late) == DONE
    (letter,) = service.letters
    assert [failure.receiver for failure in letter.failures] == service.names("second")


def test_only_one_of_several_concurrent_lanes_tries_a_probe(service: Service) -> None:
    processor = service.processor()
    held = opened(service, processor)
    service.now = 10
    calls, others, began = service.seen.total(), threading.Semaphore(0), threading.Barrier(8)

    def probe_until_all_others_are_through(name: str) -> None:
        assert name == "second" or all(others.acquire(timeout=30) for _ in range(7))

    def attempt(one: Delivery) -> None:
        began.wait(30)
        processor.process(one)
        others.release()

    service.begin = probe_until_all_others_are_through
    deliveries = [*held, *(delivery(user) for user in range(10, 14))]
    threads = [threading.Thread(target=attempt, args=(one,)) for one in deliveries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert service.seen.total() - calls == 1 + 4  # one probe, and the second receiver once for each new event


def need_a_database_that_is_away(_name: str) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}
    connection = ConnectionHandler({"default": entry})["default"]
    with connection.wrap_database_errors:
        connection.connect()


def test_an_outage_does_not_open_the_circuit(service: Service) -> None:
    processor = service.processor(error_limit=ErrorLimit(1))
    service.begin = need_a_database_that_is_away
    assert {type(processor.process(delivery(user))) for user in range(20)} == {Hold}
    assert service.health.reasons == ("outage: database",)
    assert processor.error_limit.failure is None


@pytest.mark.parametrize("way", ["outage", "exit"])
def test_a_probe_that_ends_in_an_outage_or_an_exit_is_repeated(service: Service, way: str) -> None:
    processor = service.processor()
    held = opened(service, processor)
    service.now = 10
    if way == "outage":
        service.begin = need_a_database_that_is_away
        assert isinstance(processor.process(held[0]), Hold)
    else:
        service.failing = {"first": SystemExit}
        with pytest.raises(SystemExit):
            processor.process(held[0])
    service.now, service.begin, service.failing = 20, lambda _name: None, {}
    assert processor.process(held[0]) == DONE
    assert service.health.is_ready


def test_a_dead_letter_contains_the_number_of_attempts_of_each_receiver(service: Service) -> None:
    service.failing = {"first": KeyError, "second": ValueError}  # the first receiver fails with a final error at once
    processor, one = service.processor(gate=ReceiverGate()), delivery(1)
    while processor.process(one) is not DONE:
        pass
    (letter,) = service.letters
    first, second = service.names("first", "second")
    assert {failure.receiver: failure.attempts for failure in letter.failures} == {first: 1, second: 3}


def test_a_paused_receiver_does_not_run_and_its_events_become_dead_letters(service: Service) -> None:
    processor = service.processor(flood=DeadLetterLimit(limit=1))
    partition = PartitionProgress(*PARTITION)
    service.paused = frozenset(service.names("first"))
    assert [processor.process(delivery(user, partition)) for user in range(5)] == [DONE] * 5
    assert service.seen == {("second", user): 1 for user in range(5)}
    assert {failure.receiver for letter in service.letters for failure in letter.failures} == service.paused
    assert "ReceiverPaused" in service.letters[0].failures[0].error


def test_a_success_resets_the_counts_of_errors_and_dead_letters_while_a_receiver_is_paused(service: Service) -> None:
    processor, partition = (
        service.processor(error_limit=ErrorLimit(2), flood=DeadLetterLimit(limit=1)),
        PartitionProgress(*PARTITION),
    )
    service.paused = frozenset(service.names("first"))
    for user in range(4):
        assert processor.process(delivery(user, partition, value=b"\0\0\0\0\1")) == DONE
        assert processor.process(delivery(9, partition)) == DONE
    assert processor.error_limit.failure is None
    assert not partition.flooded


def test_pausing_a_receiver_closes_its_open_circuit(service: Service) -> None:
    processor = service.processor()
    held = opened(service, processor)
    assert not service.health.is_ready
    service.paused = frozenset(service.names("first"))
    assert [processor.process(one) for one in held] == [DONE] * 4
    assert len(service.letters) == 4
    assert service.health.is_ready
    service.paused, service.failing = frozenset(), {}
    assert processor.process(delivery(9)) == DONE
    assert service.seen["first", 9] == 1


def test_records_are_held_in_a_flood_of_dead_letters_until_a_record_succeeds(service: Service) -> None:
    processor, partition = service.processor(flood=DeadLetterLimit(limit=3)), PartitionProgress(*PARTITION)
    broken = [delivery(user, partition, value=b"\0\0\0\0\1") for user in range(5)]
    with watched() as seen:
        outcomes = [type(processor.process(one)) for one in broken for _ in range(2 if one is broken[4] else 1)]
    assert outcomes == [type(DONE)] * 3 + [Hold] * 3
    assert (len(service.letters), partition.flooded) == (3, True)
    assert [type(event) for event in seen].count(events.FloodHeld) == 1
    assert processor.process(delivery(9, partition)) == DONE
    assert not partition.flooded
    assert processor.process(broken[3]) == processor.process(broken[4]) == DONE
    assert len(service.letters) == 5


def test_reassigning_a_partition_does_not_reset_the_count_of_consecutive_dead_letters(service: Service) -> None:
    processor, other = service.processor(flood=DeadLetterLimit(limit=3)), PartitionProgress("another", 0)
    for user in range(2):
        assert processor.process(delivery(user, PartitionProgress(*PARTITION), value=b"\0\0\0\0\1")) == DONE
    back = PartitionProgress(*PARTITION)
    assert processor.process(delivery(9, other)) == DONE
    assert processor.process(delivery(2, back, value=b"\0\0\0\0\1")) == DONE
    assert isinstance(processor.process(delivery(3, back, value=b"\0\0\0\0\1")), Hold)
    assert (back.flooded, len(service.letters)) == (True, 3)


def test_dead_letters_that_could_not_be_stored_do_not_count_towards_a_flood(service: Service) -> None:
    processor, partition = service.processor(flood=DeadLetterLimit(limit=2)), PartitionProgress(*PARTITION)
    broken = delivery(0, partition, value=b"\0\0\0\0\1")
    service.store_fails = True
    assert all(isinstance(processor.process(broken), Hold) for _ in range(9))
    assert service.health.reasons == ("outage: dead-letter store",)
    service.store_fails = False
    assert processor.process(broken) == DONE
    assert (partition.flooded, service.health.is_ready) == (False, True)


def test_a_worker_is_not_ready_while_the_schema_registry_is_unreachable(service: Service) -> None:
    processor, one = service.processor(), delivery(1)
    service.registry_fails = True
    with watched() as seen:
        assert all(isinstance(processor.process(one), Hold) for _ in range(3))
        assert service.health.reasons == ("outage: schema registry",)
        service.registry_fails = False
        assert processor.process(one) == DONE
    changes = [event for event in seen if isinstance(event, events.ReadinessChanged)]
    assert [change.ready for change in changes] == [False, True]


def test_no_receiver_runs_and_no_letter_is_stored_after_too_many_consecutive_errors(service: Service) -> None:
    processor = service.processor(error_limit=ErrorLimit(3), gate=ReceiverGate())
    service.failing = {"first": KeyError}
    outcomes = [processor.process(delivery(user)) for user in range(5)]
    assert [type(outcome) for outcome in outcomes] == [type(DONE)] * 2 + [Hold] * 3
    assert len(service.letters) == 2
    assert service.seen["first", 3] == 0
    failure = processor.error_limit.failure
    assert failure is not None
    assert failure.exit_code == 4


def test_failed_probes_of_an_open_circuit_do_not_count_as_consecutive_errors(service: Service) -> None:
    processor = service.processor(error_limit=ErrorLimit(4))
    held = opened(service, processor)
    for number in range(1, 9):
        service.now = 10 * number
        processor.process(held[0])
    assert service.seen["first", 0] == 9
    assert processor.error_limit.failure is None


def test_c12_the_attempt_after_a_database_error_uses_a_new_connection(
    service: Service, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """
    The open connection is read-only, as after a failover. Formerly all five attempts used this connection and failed.
    """

    def write(**_: Any) -> None:
        connections["lane"].cursor().execute("INSERT INTO effects VALUES (1)")

    with none_known(), django_db_blocker.unblock(), on_sqlite(tmp_path, "lane", migrated=False):
        connections["lane"].cursor().execute("CREATE TABLE effects (id integer)")
        connections["lane"].close_at = None  # as with CONN_MAX_AGE = None
        connections["lane"].connection.execute("PRAGMA query_only = 1")
        processor, one = service.processor(receivers_of=lambda _: [Receiver(write)]), delivery(1)
        assert isinstance(processor.process(one), Retry)
        assert processor.process(one) is DONE


def test_c6_changes_to_an_event_in_one_attempt_do_not_reach_the_next_attempt(service: Service) -> None:
    """Within one attempt, all receivers get the same event data, as in Django."""
    seen: list[list[str]] = []

    def change(grade: Any, **_: Any) -> None:
        seen.append(list(grade.names))
        grade.names.pop()

    def fail(grade: Any, **arguments: Any) -> None:
        change(grade, **arguments)
        raise ValueError

    with graded(names=list[str]) as signal:
        codec = codec_for(signal)
        value = FRAME + codec.encode({"grade": grade(signal, names=["a", "b"])})
        headers = (("ce_type", signal.event_type.encode()), HEADERS[1])
        record = ConsumerRecord(
            topic="t", partition=0, offset=0, timestamp=None, key=b"k", value=value, headers=headers
        )
        receivers, one = [Receiver(change), Receiver(fail)], Delivery.of(record, PartitionProgress(*PARTITION))
        processor = service.processor(receivers_of=lambda _: receivers, registry=Registry(codec.schema))
        assert [type(processor.process(one)) for _ in range(3)] == [Retry, Retry, type(DONE)]
    assert seen == [["a", "b"], ["a"], ["a", "b"], ["a", "b"]]


def test_c6_a_record_that_is_unreadable_at_a_retry_becomes_a_dead_letter(
    service: Service,
) -> None:
    """
    Each attempt decodes the record again. The registry may return a different schema than for the previous attempt.
    """
    service.failing = {"second": ValueError}
    processor, one = service.processor(), delivery(1)
    assert isinstance(processor.process(one), Retry)
    refusing = attrs.evolve(processor, registry=Registry("no schema"))
    assert refusing.process(one) == DONE
    (letter,) = service.letters
    assert [failure.receiver for failure in letter.failures] == service.names("second")


def test_c5_the_scheduler_keeps_no_reference_to_a_finished_record(service: Service) -> None:
    """The exceptions of attempts refer to the stack frames of receivers, and these frames contain event data."""
    service.failing = {"first": ValueError}
    processor, one = service.processor(), delivery(1)
    scheduler = Scheduler(processor.process, lanes=1)
    assert isinstance(processor.process(one), Retry)
    known = weakref.ref(one.work)
    service.failing = {}
    scheduler.submit(one)
    scheduler.stop()
    next(iter(scheduler.lanes)).run()
    gc.collect()
    assert (one.done, one.record, one.work, known()) == (True, None, None, None)


@pytest.fixture
def traced() -> Iterator[list[Span]]:
    with override_settings(OPENEDX_TELEMETRY=["tests.support.tracing.Spans"]):
        observe(monitor, *MONITORED)
        spans.clear()
        yield spans
        unobserve(monitor)


def test_c6_the_span_of_an_event_contains_attributes_errors_and_receiver_spans(
    service: Service, traced: list[Span]
) -> None:
    """
    The event's span must be opened inside the event's context. Otherwise the event's span would not become the parent
    of the receivers' spans.
    """

    def query(_name: str) -> None:
        with span("SELECT"):
            pass

    service.begin = query
    service.failing = {"second": KeyError}
    processor = service.processor()
    with span("around all events"):
        assert processor.process(delivery(1)) == DONE
        service.failing = {}
        assert processor.process(delivery(2)) == DONE
    _, *of_events = traced
    whole, sending, inner = (
        "consumer.consume",
        "consumer.consume > emit_signals_from_message",
        "consumer.consume > emit_signals_from_message > SELECT",
    )
    assert [one.path for one in of_events] == [whole, sending, inner, inner] * 2
    first, second = (one for one in of_events if one.path == whole)
    assert first.attributes == {
        "kafka_received_message": True,
        "kafka_topic": "t",
        "kafka_partition": 0,
        "kafka_offset": 1,
        "kafka_event_type": CODEC.event_type,
        "kafka_message_id": "12345678-1234-5678-1234-567812345678",
    }
    assert (first.errors, second.errors, second.attributes["kafka_offset"]) == (1, 0, 2)
    assert not any(one.attributes or one.errors for one in traced if one.path != whole)


def test_c6_the_span_of_each_attempt_has_the_offset_of_its_record(service: Service, traced: list[Span]) -> None:
    service.failing = {"first": ValueError}
    processor, one, unreadable = service.processor(), delivery(7), delivery(8, value=b"")
    with watched(events.RecordReceived, events.RecordRetried) as told:
        processor.process(one)
        service.failing = {}
        assert processor.process(one) == DONE
    assert [type(event) for event in told] == [events.RecordReceived, events.RecordRetried]
    assert processor.process(unreadable) == DONE
    wholes = [one for one in traced if one.parent is None]
    assert [(one.attributes["kafka_offset"], one.errors) for one in wholes] == [(7, 1), (7, 0), (8, 1)]


def test_c6_one_cache_object_serves_all_events_of_a_lane(service: Service) -> None:
    used: list[Any] = []
    service.begin = lambda _: used.append(caches["default"])
    processor = service.processor()
    for user in range(9):
        processor.process(delivery(user))
    assert len({id(cache) for cache in used}) == 1


@pytest.mark.parametrize("kind", [CancelledError, type("Odd", (BaseException,), {})])
def test_c11_an_event_becomes_a_dead_letter_if_a_receiver_repeatedly_raises_a_base_exception(
    service: Service, kind: type[BaseException]
) -> None:
    """
    If the package did not catch the exception, the worker would end, and would get the same record again after each
    restart.
    """
    service.failing = {"first": kind}
    processor, one = service.processor(), delivery(1)
    assert [type(processor.process(one)) for _ in range(3)] == [Retry, Retry, type(DONE)]
    (letter,) = service.letters
    assert [failure.receiver for failure in letter.failures] == service.names("first")
    assert letter.failures[0].error.startswith("ReceiverInterrupted: ")
    assert service.seen["second", 1] == 1


def test_skipping_a_record_that_is_held_in_an_outage_makes_the_worker_ready_again(service: Service) -> None:
    processor, one = service.processor(), delivery(1)
    service.registry_fails = True
    assert isinstance(processor.process(one), Hold)
    assert service.health.reasons == ("outage: schema registry",)
    assert attrs.evolve(processor, receivers_of=lambda _: []).process(one) == DONE
    assert service.health.is_ready


@pytest.mark.parametrize("away", ["schema registry", "database of the pauses"])
def test_a_record_is_reported_as_received_exactly_once_if_its_first_attempt_is_delayed(
    service: Service, away: str
) -> None:
    """Formerly the audit log said that the record was processed, but not that it was received."""
    processor, one, known = service.processor(), delivery(1), ReceiverGate()
    gate = ReceiverGate(paused=Pauses()) if away == "database of the pauses" else known
    service.registry_fails = away == "schema registry"
    with watched(events.RecordReceived, events.RecordRetried) as told:
        waiting = attrs.evolve(processor, gate=gate)
        assert all(isinstance(waiting.process(one), Hold) for _ in range(2))
        service.registry_fails = False
        assert attrs.evolve(processor, gate=known).process(one) == DONE
    assert [type(event) for event in told] == [events.RecordReceived]


@pytest.mark.parametrize("early", [0, 1])
def test_a_record_that_may_have_killed_a_worker_is_logged_before_its_receivers_run(
    service: Service, caplog: pytest.LogCaptureFixture, early: int
) -> None:
    partition = PartitionProgress(*PARTITION, early=early)
    record = delivery(1).record
    assert record is not None
    one = partition.take(record)
    log = LoggingObserver(audit=lambda: True, batched=lambda: True)
    before: list[str] = []
    service.begin = lambda _: before.append(caplog.text)
    with nobody_else_observing(), caplog.at_level("INFO"):
        observe(log)
        assert service.processor().process(one) == DONE
        log.flush()
    assert ["Message received" in text for text in before] == [bool(early)] * 2
    assert caplog.text.count("Message received") == caplog.text.count("processed successfully") == 1


def test_an_unreadable_record_counts_towards_a_flood_even_if_a_receiver_is_paused(
    service: Service,
) -> None:
    service.failing, service.paused = {"second": ValueError}, frozenset(service.names("first"))
    processor = service.processor(flood=DeadLetterLimit(limit=1))
    partition = PartitionProgress(*PARTITION)
    deliveries = [delivery(user, partition) for user in range(2)]
    assert all(isinstance(processor.process(one), Retry) for one in deliveries)
    refusing = attrs.evolve(processor, registry=Registry("no schema"))
    assert refusing.process(deliveries[0]) == DONE
    assert isinstance(refusing.process(deliveries[1]), Hold)
    assert partition.flooded


def test_an_attempt_does_not_count_as_a_retry_if_no_receiver_ran(service: Service) -> None:
    """
    A worker attempts an event again and again while the circuit of its receiver is open. If these attempts counted as
    retries, the metrics would suggest many failures.
    """

    def retried() -> int:
        return tallies.total(RECORDS_RETRIED, event_type=CODEC.event_type)

    processor = service.processor()
    held, *_ = opened(service, processor)
    service.now = 4
    before = retried()
    assert all(isinstance(processor.process(held), Hold) for _ in range(3))
    assert retried() == before
    service.failing, service.now = {}, 10
    assert processor.process(held) == DONE
    assert retried() == before + 1
