"""Events are sent after their transaction commits, and are not sent after a rollback."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing.util
import os
import signal
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import current_thread
from threading import enumerate as enumerate_threads
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connections, transaction
from django.test import modify_settings, override_settings
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import create_producer
from event_bus_kafka.assembly.sending import process_clients, shutdown, spill
from event_bus_kafka.errors import DeliveryFailed
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.producing.inherited import own_clients
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import (
    EventAppended,
    EventRejected,
    EventSpilled,
    EventUndelivered,
    LifecycleEvent,
    RecordDelivered,
    SpillDelayed,
)
from tests.services.bus import CREATED, Bus, SandboxBus
from tests.support.direct import encoded
from tests.support.examples_of import certificate
from tests.support.members import record
from tests.support.refusals import refuse
from tests.support.sending import own_producer
from tests.support.watching import watched

Send = Callable[[], str]
INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED = 22, 31
PATIENT = {
    "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30,
    "EVENT_BUS_KAFKA_SEND_TIMEOUT": 60,
    "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 60,
}
"""Time limits that are long enough for a slow machine."""


@pytest.fixture
def send(bus: Bus, topic: str) -> Iterator[Send]:
    """Return a function that emits an event as a service does, and that returns the event's id."""
    with override_settings(**bus.settings(topic, EVENT_BUS_KAFKA_SEND_TIMEOUT=60)):
        producer = create_producer()

        def send() -> str:
            metadata = EventsMetadata(event_type=CREATED)
            producer.send(
                signal=CERTIFICATE_CREATED,
                topic=topic,
                event_key_field="certificate.user.id",
                event_data={"certificate": certificate()},
                event_metadata=metadata,
            )
            return str(metadata.id)

        yield send
        producer.prepare_for_shutdown()


def fates(seen: list[LifecycleEvent], sent: list[str]) -> list[type[LifecycleEvent] | None]:
    """
    Return for each id in ``sent`` the kind of lifecycle event with which the event ended, or None if it has not ended.
    Ignore other ids in ``seen``, because a flush may report events of other tests.
    """
    kinds = {event.event_id: type(event) for event in ends(seen)}
    return [kinds.get(one) for one in sent]


def ends(seen: list[LifecycleEvent]) -> list[EventRejected | EventSpilled | EventUndelivered | RecordDelivered]:
    kinds = EventRejected | EventSpilled | EventUndelivered | RecordDelivered
    return [event for event in seen if isinstance(event, kinds)]


@pytest.mark.django_db(transaction=True, databases="__all__")
class TestTransactions:
    def test_an_event_is_sent_immediately_in_autocommit_mode(self, bus: Bus, topic: str, send: Send) -> None:
        sent = send()
        assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_is_sent_only_after_the_commit(self, bus: Bus, topic: str, send: Send) -> None:
        with transaction.atomic():
            sent = send()
            assert bus.records(topic, 1, seconds=1) == []
        assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_is_not_sent_after_a_rollback(self, bus: Bus, topic: str, send: Send) -> None:
        with pytest.raises(KeyError), transaction.atomic():
            send()
            raise KeyError
        sent = send()
        assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_of_a_rolled_back_savepoint_is_not_sent(self, bus: Bus, topic: str, send: Send) -> None:
        with transaction.atomic():
            first = send()
            with pytest.raises(KeyError), transaction.atomic():
                send()
                raise KeyError
            last = send()
        assert bus.event_ids(topic, 2) == [first, last]

    def test_an_event_in_a_durable_block_is_sent_after_its_commit(self, bus: Bus, topic: str, send: Send) -> None:
        with transaction.atomic(durable=True):
            sent = send()
        assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_waits_for_the_open_transaction_of_any_database(self, bus: Bus, topic: str, send: Send) -> None:
        with pytest.raises(KeyError), transaction.atomic(using="other"):
            send()
            raise KeyError
        with transaction.atomic(using="other"):
            sent = send()
        assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_in_two_open_transactions_is_sent_after_the_last_commit(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        with transaction.atomic():
            with transaction.atomic(using="other"):
                sent = send()
            assert bus.records(topic, 1, seconds=1) == []
        assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_in_two_open_transactions_is_dropped_when_one_transaction_rolls_back(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        with transaction.atomic():
            with pytest.raises(KeyError), transaction.atomic(using="other"):
                send()
                raise KeyError
        sent = send()
        assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_waits_only_for_a_transaction_of_the_database_that_is_configured_for_its_topic(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        settings = bus.settings(topic)
        settings["EVENT_BUS_PRODUCER_CONFIG"][CREATED][topic]["database"] = "other"
        with override_settings(**settings), transaction.atomic():
            sent = send()
            assert bus.event_ids(topic, 1) == [sent]

    def test_an_event_does_not_wait_for_the_transaction_in_mode_immediate(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        with override_settings(EVENT_BUS_PRODUCER_MODE="immediate"):
            with pytest.raises(KeyError), transaction.atomic():
                sent = send()
                raise KeyError
        assert bus.event_ids(topic, 1) == [sent]

    def test_tombstones_follow_the_same_transaction_rules_as_events(self, bus: Bus, topic: str) -> None:
        settings = bus.settings(topic)
        settings["EVENT_BUS_PRODUCER_CONFIG"][CREATED][topic]["database"] = "other"
        with override_settings(**settings):
            delete = partial(create_producer().send_tombstone, signal=CERTIFICATE_CREATED, topic=topic)
            with pytest.raises(KeyError), transaction.atomic(using="other"):
                delete(key=1)
                raise KeyError
            with transaction.atomic():
                delete(key=2)
                assert [(one.key() or b"")[-1] // 2 for one in bus.records(topic, 1)] == [2]
            with override_settings(EVENT_BUS_PRODUCER_MODE="immediate"), transaction.atomic(using="other"):
                delete(key=3)
                assert [(one.key() or b"")[-1] // 2 for one in bus.records(topic, 2)] == [2, 3]

    def test_an_event_is_rejected_with_advice_if_autocommit_is_off_and_there_is_no_outbox(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        """
        The app of this package is not in INSTALLED_APPS. tests/outbox contains the corresponding tests with an outbox.
        """
        with watched() as seen, without_outbox(), manual_transaction():
            send()
        (rejected,) = ends(seen)
        assert isinstance(rejected, EventRejected)
        assert "transaction.atomic()" in str(rejected.error)

    def test_an_event_in_an_atomic_block_is_rejected_if_autocommit_is_off_and_there_is_no_outbox(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        """
        Django would run the on-commit hooks of the block when autocommit is switched on again, even if the rows of the
        block were rolled back before.
        """
        with watched() as seen, without_outbox(), manual_transaction():
            with transaction.atomic():
                send()
            connections["default"].commit()
        (rejected,) = ends(seen)
        assert isinstance(rejected, EventRejected)


@contextmanager
def without_outbox() -> Iterator[None]:
    """Remove the app of this package from INSTALLED_APPS while the block runs."""
    with modify_settings(INSTALLED_APPS={"remove": "event_bus_kafka"}):
        yield


@contextmanager
def manual_transaction() -> Iterator[None]:
    connection = connections["default"]
    connection.ensure_connection()
    connection.set_autocommit(False)
    try:
        yield
    finally:
        connection.rollback()
        connection.set_autocommit(True)


@pytest.mark.django_db
def test_the_event_is_captured_and_sent_by_djangos_capture_on_commit_callbacks(
    bus: Bus, topic: str, send: Send, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        sent = send()
    assert len(callbacks) == 1
    assert bus.event_ids(topic, 1) == [sent]


@pytest.mark.django_db
def test_a_spill_is_given_up_if_the_transaction_of_a_django_test_case_holds_the_lock_of_sqlite(
    sandbox: Sandbox, django_capture_on_commit_callbacks: Any
) -> None:
    settings = SandboxBus(sandbox).settings("t") | {
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
        "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 0.5,
    }
    with override_settings(**settings), watched(EventUndelivered, SpillDelayed) as seen:
        producer = create_producer()
        ContentType.objects.create(app_label="holds", model="the lock")
        with django_capture_on_commit_callbacks(execute=True):
            send_by(producer, "t")
        producer.prepare_for_shutdown()
    assert isinstance(seen[0], SpillDelayed)
    assert [type(event) for event in seen if not isinstance(event, SpillDelayed)] == [EventUndelivered]
    assert not OutboxRecord.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestTrouble:
    """A send raises nothing if its event cannot be sent. A lifecycle event reports each failure."""

    def test_data_that_does_not_match_its_type_is_rejected(self, bus: Bus, topic: str) -> None:
        with override_settings(**bus.settings(topic)), watched() as seen:
            CERTIFICATE_CREATED.send_event(certificate=certificate())
            create_producer().send(
                signal=CERTIFICATE_CREATED,
                topic=topic,
                event_key_field="certificate.user.id",
                event_data={"certificate": certificate(grade=5)},  # type: ignore[arg-type]
                event_metadata=EventsMetadata(event_type=CREATED),
            )
        (end,) = [event for event in seen if isinstance(event, EventRejected)]
        assert "certificate.grade" in str(end.error)

    @pytest.mark.parametrize(
        ("changes", "end"),
        [
            ({"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": None}, EventSpilled),
            ({"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": None}, EventSpilled),
            ({"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"no.such.option": 1}}, EventSpilled),
            ({"EVENT_BUS_KAFKA_SEND_TIMEOUT": "soon"}, EventSpilled),
            ({"EVENT_BUS_PRODUCER_MODE": "later"}, EventRejected),
            ({"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "no url"}, EventSpilled),
            ({"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_OPTIONS": {"no.such.option": 1}}, EventSpilled),
        ],
    )
    def test_each_event_is_spilled_or_rejected_if_a_setting_is_invalid(
        self, bus: Bus, topic: str, changes: dict[str, Any], end: type[LifecycleEvent]
    ) -> None:
        with override_settings(**bus.settings(topic, **changes)), watched() as seen:
            producer, sent = create_producer(), []
            for _ in range(2):
                metadata = EventsMetadata(event_type=CREATED)
                sent.append(str(metadata.id))
                producer.send(
                    signal=CERTIFICATE_CREATED,
                    topic=topic,
                    event_key_field="certificate.user.id",
                    event_data={"certificate": certificate()},
                    event_metadata=metadata,
                )
            producer.prepare_for_shutdown()
        own = [event for event in ends(seen) if event.event_id in sent]  # clients of other tests report as well
        assert [type(event) for event in own] == [end, end]

    def test_json_dicts_are_sent_as_the_objects_that_they_represent(self, bus: Bus, topic: str, send: Send) -> None:
        data = {
            "user": {"id": 1, "is_active": False, "pii": {"username": "learner", "email": "learner@example.com"}},
            "course": {"course_key": "course-v1:edX+DemoX+2026"},
            "mode": "honor",
            "grade": "0.9",
            "current_status": "downloadable",
            "download_url": "",
            "name": "Learner",
        }
        sent = send()
        metadata = EventsMetadata(event_type=CREATED, id=UUID(int=7))
        create_producer().send(
            signal=CERTIFICATE_CREATED,
            topic=topic,
            event_key_field="certificate.user.id",
            event_data={"certificate": data},
            event_metadata=metadata,
        )
        assert bus.event_ids(topic, 2) == [sent, str(metadata.id)]
        first, second = bus.records(topic, 2)
        assert first.value() == second.value()
        assert first.key() == second.key()


@pytest.mark.django_db(transaction=True)
class TestForks:
    """A forked child creates separate Kafka clients (case 32)."""

    @pytest.fixture(autouse=True)
    def _collect_clients_of_other_tests(self) -> None:
        """Collect garbage before the fork, because a child would crash if it collected another test's Kafka client."""
        gc.collect()

    def in_a_child(self, send: Callable[[], object]) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                send()
                multiprocessing.util._exit_function()  # type: ignore[attr-defined] # what multiprocessing runs in its children
            finally:
                os._exit(0)
        deadline = monotonic() + 30
        while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
            if monotonic() >= deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError("the child does not end")
        assert ended[1] == 0

    def test_a_forked_child_can_send_if_the_fork_preceded_the_first_send(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        self.in_a_child(send)
        assert len(bus.event_ids(topic, 1)) == 1

    def test_a_forked_child_can_send_if_the_fork_followed_the_first_send(
        self, bus: Bus, topic: str, send: Send
    ) -> None:
        first = send()
        assert bus.event_ids(topic, 1) == [first]
        self.in_a_child(send)
        last = send()
        ids = bus.event_ids(topic, 3)
        assert len(ids) == 3
        assert {first, last} < set(ids)

    @pytest.mark.parametrize("is_retired", [True, False])
    def test_a_forked_child_can_send_although_python_did_not_notice_the_fork(
        self, bus: Bus, topic: str, monkeypatch: pytest.MonkeyPatch, is_retired: bool
    ) -> None:
        monkeypatch.setattr(os, "register_at_fork", lambda **_: None)
        with override_settings(**bus.settings(topic, EVENT_BUS_KAFKA_SEND_TIMEOUT=60)):
            producer = create_producer()
            send_by(producer, topic)
            assert len(bus.event_ids(topic, 1)) == 1
            assert producer._connecting.clients is not None
            clients = producer._connecting.clients
            if is_retired:
                clients.retire()
                until(lambda: clients._thread not in enumerate_threads())
            self.in_a_child(lambda: send_by(producer, topic))
            assert len(bus.event_ids(topic, 2)) == 2
            clients.retire()
            clients.registry.close()

    def test_a_child_does_not_crash_after_its_parent_replaced_a_client(self) -> None:
        with sends_around_a_fatal_error() as (producer, _):
            self.in_a_child(lambda: send_by(producer, "t"))

    def test_a_child_does_not_crash_when_it_garbage_collects_a_client_of_its_parent(self, sandbox: Sandbox) -> None:
        def send_and_collect() -> None:
            send_by(producer, "t")
            gc.collect()

        with override_settings(**SandboxBus(sandbox).settings("t")), own_producer() as producer:
            gc.disable()
            try:
                leave_as_garbage(process_clients())
                self.in_a_child(send_and_collect)
            finally:
                gc.enable()
            send_by(producer, "t")


def leave_as_garbage(clients: ProcessClients) -> None:
    clients.retire()
    until(lambda: clients._thread not in enumerate_threads())
    clients.registry.close()
    garbage: list[object] = [clients]
    garbage.append(garbage)


@pytest.mark.django_db(transaction=True)
def test_case_34_queued_events_are_spilled_and_new_events_are_sent_after_a_fatal_error() -> None:
    """tests/outbox contains the corresponding tests with real databases."""
    with sends_around_a_fatal_error() as (_, outcomes):
        assert outcomes == [EventSpilled, RecordDelivered]


@pytest.mark.django_db(transaction=True)
def test_a_repeated_fatal_error_does_not_cause_a_new_client_for_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox() as sandbox, override_settings(**SandboxBus(sandbox).settings("t")), watched() as seen:
        before = own_clients()
        for _ in range(2):
            refuse(sandbox, INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED)
        producer = create_producer()
        sent = []
        for _ in range(4):
            sent.append(send_by(producer, "t"))
            producer.prepare_for_shutdown()
        assert fates(seen, sent) == [EventSpilled] * 4
        until(lambda: len([clients for clients in own_clients() if clients not in before]) == 1)
        monkeypatch.setattr(producer._connecting, "_again_at", 0.0)
        sent = [send_by(producer, "t")]
        until(lambda: fates(seen, sent) == [RecordDelivered])


@pytest.mark.django_db(transaction=True)
def test_events_are_sent_by_a_new_client_after_a_failed_flush(sandbox: Sandbox) -> None:
    settings = SandboxBus(sandbox).settings("t") | PATIENT
    away = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.1}
    with watched() as seen:
        producer = create_producer()
        with override_settings(**settings | away):
            sent = []
            for _ in range(2):
                sent.append(send_by(producer, "t"))
                shutdown.flush(60)
        with override_settings(**settings):
            sent.append(send_by(producer, "t"))
            until(lambda: fates(seen, sent) == [EventSpilled, EventSpilled, RecordDelivered])
            producer.prepare_for_shutdown()


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_sent_after_the_time_limits_of_the_shutdown_is_delivered(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.001, "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 0.001}
    monkeypatch.setattr(shutdown, "_pid", None)
    monkeypatch.setattr(shutdown, "_began", None)
    monkeypatch.setattr("event_bus_kafka.producing.shutdown._LATE", 30)
    with override_settings(**SandboxBus(sandbox).settings("t") | PATIENT | limits), watched() as seen:
        shutdown.watch()
        shutdown._end()
        sent = [send_by(create_producer(), "t")]
        assert fates(seen, sent) == [RecordDelivered]


@pytest.mark.django_db(transaction=True)
def test_the_outbox_gets_an_event_of_async_code_even_after_the_time_limits_of_the_shutdown(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send() -> list[str]:
        return [send_by(create_producer(), "t")]

    monkeypatch.setattr(shutdown, "_pid", os.getpid())
    monkeypatch.setattr(shutdown, "_began", monotonic() - 100)
    monkeypatch.setattr("event_bus_kafka.producing.shutdown._LATE", 30)
    outbox = {"EVENT_BUS_PRODUCER_MODE": "outbox"}
    with override_settings(**SandboxBus(sandbox).settings("t") | outbox), watched() as seen:
        sent = asyncio.run(send())
        assert [event.event_id for event in seen if isinstance(event, EventAppended)] == sent


def test_only_the_client_thread_handles_delivery_reports_while_the_queue_is_full(sandbox: Sandbox) -> None:
    options = {"queue.buffering.max.messages": 1}
    changes = {
        "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": options,
        "EVENT_BUS_KAFKA_POLL_INTERVAL_SEC": 30,
        "EVENT_BUS_KAFKA_SEND_TIMEOUT": 60,
    }
    threads: list[str] = []

    def note(_: LifecycleEvent) -> None:
        threads.append(current_thread().name)

    with override_settings(**SandboxBus(sandbox).settings("t") | changes), own_producer() as producer:
        observe(note, RecordDelivered, EventSpilled)
        for _ in range(5):
            send_by(producer, "t")
        unobserve(note)
    assert set(threads) == {"event-bus-producer"}


@pytest.mark.django_db(transaction=True)
def test_an_abandoned_client_spills_its_events_immediately_and_refuses_new_events(sandbox: Sandbox) -> None:
    """
    An abandoned client must not wait for the delivery report of each event. A report may arrive late when a name server
    does not answer.
    """
    away = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "EVENT_BUS_KAFKA_POLL_INTERVAL_SEC": 30}
    with override_settings(**SandboxBus(sandbox).settings("t") | PATIENT | away), watched() as seen:
        clients, event = process_clients(), encoded("t")
        clients.produce(event, None, monotonic() + 60)
        clients.give_up()
        assert not clients.unreported
        with pytest.raises(DeliveryFailed) as caught:
            clients.produce(event, None, monotonic() + 60)
        assert caught.value.fatal
        assert spill.finish(60) == 0
        clients.registry.close()
    assert fates(seen, [event.event_id]) == [EventSpilled]


def test_a_client_is_not_destroyed_at_the_end_of_its_process(sandbox: Sandbox) -> None:
    """The destruction of a client may take long when a name server does not answer."""
    with override_settings(**SandboxBus(sandbox).settings("t")):
        client = process_clients()
        client.registry.close()
        client.leave(60)
        assert client._thread not in enumerate_threads()
        alive = weakref.ref(client)
        del client
        gc.collect()
    assert alive() is not None


def test_a_client_with_a_fatal_error_is_destroyed_when_its_last_reference_is_dropped() -> None:
    """
    The client must not wait for the garbage collector. If a process forked meanwhile, its child would inherit the
    client and crash when it collects garbage.
    """
    with Sandbox() as sandbox:
        refuse(sandbox, INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED)
        servers = SandboxBus(sandbox).settings("t")["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]
        gc.disable()
        try:
            assert failed_for_good({"bootstrap.servers": servers, "enable.idempotence": True})() is None
        finally:
            gc.enable()


def failed_for_good(options: dict[str, Any]) -> weakref.ref[Producer]:
    producer = Producer(options)

    def is_refused() -> bool:
        try:
            producer.produce(record("t"), lambda report: None)
        except DeliveryFailed as error:
            return error.fatal
        return False

    until(is_refused)
    assert producer.failure is not None
    producer.purge()
    return weakref.ref(producer)


def test_an_exception_in_a_delivery_report_does_not_end_the_client_thread(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(**SandboxBus(sandbox).settings("t")):
        clients = process_clients()
        nothing: Any = None
        clients.unreported[7] = nothing, None
        clients.reported(7, None, nothing)
        clients.retire()
    assert "continues after an unexpected AttributeError" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_send_many_rejects_only_the_event_whose_row_the_database_refuses(
    sandbox: Sandbox,
) -> None:
    events = [({"certificate": certificate()}, EventsMetadata(event_type=CREATED)) for _ in range(3)]
    inserts: list[str] = []

    def fail_the_second(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and OutboxRecord._meta.db_table in sql:
            inserts.append(sql)
            if len(inserts) == 2:
                raise DatabaseError("no room")
        return execute(sql, *arguments)

    with override_settings(**SandboxBus(sandbox).settings("t")), watched() as seen, manual_transaction():
        with connections["default"].execute_wrapper(fail_the_second):
            create_producer().send_many(
                signal=CERTIFICATE_CREATED, topic="t", event_key_field="certificate.user.id", events=events
            )
    assert [event.event_id for event in seen if isinstance(event, EventRejected)] == [str(events[1][1].id)]
    assert [event.event_id for event in seen if isinstance(event, EventAppended)] == [
        str(events[number][1].id) for number in (0, 2)
    ]


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not condition():
        assert monotonic() < deadline
        sleep(0.01)


@contextmanager
def sends_around_a_fatal_error() -> Iterator[tuple[EventBusProducer, list[type[LifecycleEvent] | None]]]:
    """
    Cause a fatal error of a producer's client. The producer replaces the client. Yield the producer, and the outcomes
    of the events that were sent before and after the error.
    """
    with Sandbox() as sandbox, override_settings(**SandboxBus(sandbox).settings("t")), watched() as seen:
        refuse(sandbox, INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED)  # as without the right to write
        producer = create_producer()
        with sandbox.broker_down():  # so that the error occurs while the event is in the queue
            sent = [send_by(producer, "t")]
        producer.prepare_for_shutdown()
        sent.append(send_by(producer, "t"))
        producer.prepare_for_shutdown()
        until(lambda: None not in fates(seen, sent))
        yield producer, fates(seen, sent)


def send_by(producer: EventBusProducer, topic: str) -> str:
    """Send one event; return its id."""
    metadata = EventsMetadata(event_type=CREATED)
    producer.send(
        signal=CERTIFICATE_CREATED,
        topic=topic,
        event_key_field="certificate.user.id",
        event_data={"certificate": certificate()},
        event_metadata=metadata,
    )
    return str(metadata.id)


def test_a_delivery_is_reported_even_if_no_other_event_follows(send: Send) -> None:
    with watched() as seen:
        sent = [send()]
        until(lambda: fates(seen, sent) == [RecordDelivered])
