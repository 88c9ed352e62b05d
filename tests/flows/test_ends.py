"""Before a process ends, it sends its events to Kafka, and logs the events that it cannot send."""

from __future__ import annotations

from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.services.bus import Bus
from tests.services.silence import black_hole
from tests.support.sending import SEND, sender

SEND_LATE = """
from multiprocessing.util import Finalize
from openedx_events.learning.signals import CERTIFICATE_CREATED
from tests.support.examples_of import certificate

def send(user):
    CERTIFICATE_CREATED.send_event(certificate=certificate(user))

send(1)
Finalize(None, send, args=[2], exitpriority=0)  # runs after finalizers of a higher priority
"""

LOG_LONG = """
import logging, sys, threading
from time import monotonic

class Long(logging.Handler):
    def createLock(self):
        self.lock = None  # no other thread waits while this handler writes

    def emit(self, record):
        if threading.current_thread().name == "event-bus-producer" and not logs.is_set():
            logs.set()
            until = monotonic() + 2
            while monotonic() < until:
                sys.stderr.write("x" * 100_000 + "\\n")
            sys.stderr.write("All is written\\n")

logs = threading.Event()
logging.getLogger("event_bus_kafka").addHandler(Long())
"""


PATIENT: dict[str, Any] = {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 60, "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 60}


def test_case_33_a_process_sends_its_events_even_if_it_ends_immediately(bus: Bus, topic: str) -> None:
    with sender(bus.settings(topic, **PATIENT), [1, 2, 3]) as process:
        assert process.end() == 0
    delivered = "".join(line for line in process.lines if "Message delivered to Kafka event bus" in line)
    assert all(str(event_id) in delivered for event_id in bus.event_ids(topic, 3))


def test_events_that_are_sent_while_a_process_ends_arrive_in_kafka(bus: Bus, topic: str) -> None:
    linger = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.ms": 1_000}}
    with ServiceProcess(code=SEND_LATE, settings=bus.settings(topic, **PATIENT | linger)) as process:
        assert process.end() == 0
    assert len(bus.event_ids(topic, 2)) == 2


def test_the_log_names_the_events_that_a_process_could_not_send_before_its_end(bus: Bus, topic: str) -> None:
    changes = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.5}
    with sender(bus.settings(topic, **changes), [1, 2]) as process:
        assert process.end() == 0
    assert process.users("sent") == [1, 2]
    assert process.log.count("Error delivering message to Kafka event bus. DeliveryFailed") == 2
    assert "learner@example.com" not in process.log


def test_a_process_does_not_end_before_its_log_lines_are_written(bus: Bus, topic: str) -> None:
    """Python aborts the process if a thread is writing to standard error when the interpreter ends."""
    changes = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.5,
        "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 60,
    }
    code = LOG_LONG + SEND.format(users=[1]) + "logs.wait(60)"
    with ServiceProcess(code=code, settings=bus.settings(topic, **changes)) as process:
        assert process.end() == 0
    assert "All is written" in process.log
    assert process.log.count("Error delivering message to Kafka event bus. DeliveryFailed") == 1


def test_the_log_names_the_events_that_kafka_does_not_confirm_in_time(bus: Bus, topic: str) -> None:
    with black_hole() as address:
        changes = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": address, "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 1} | PATIENT
        with sender(bus.settings(topic, **changes), [1]) as process:
            assert process.end() == 0
    assert "Error delivering message to Kafka event bus. DeliveryFailed: _MSG_TIMED_OUT" in process.log
    assert "Traceback" not in process.log


@pytest.mark.parametrize("silent", [False, True], ids=["connection refused", "no answer"])
def test_senders_log_an_error_and_raise_nothing_if_the_registry_is_unreachable(
    bus: Bus, topic: str, silent: bool
) -> None:
    with black_hole() as address:
        url = f"http://{address if silent else '127.0.0.1:9'}"
        changes = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": url, "EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 1}
        with sender(bus.settings(topic, **changes), [1, 2, 3]) as process:
            assert process.end() == 0
    assert process.users("sent") == [1, 2, 3]
    assert process.log.count("Error delivering message to Kafka event bus. SchemaRegistryError") == 3
    assert process.log.count("ERROR event_bus_kafka Schema registry: ") == 1
    assert "Traceback" not in process.log


def test_case_30_only_an_event_that_does_not_fit_into_the_client_queue_is_logged_with_queue_full(
    bus: Bus, topic: str
) -> None:
    changes = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"queue.buffering.max.messages": 2},
        "EVENT_BUS_KAFKA_SEND_TIMEOUT": 3,
        "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.5,
    }
    with sender(bus.settings(topic, **changes), [1, 2, 3]) as process:
        assert process.end() == 0
    assert process.users("sent") == [1, 2, 3]
    assert process.log.count("QueueFull") == 1


def test_case_31_the_client_refuses_only_the_event_that_is_too_large(bus: Bus, topic: str) -> None:
    changes = PATIENT | {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"message.max.bytes": 1000}}
    code = SEND.format(users=[1, 2]).replace("certificate(user)", "certificate(user, name='x' * 2000 * (user % 2))")
    with ServiceProcess(code=code, settings=bus.settings(topic, **changes)) as process:
        assert process.end() == 0
    assert process.log.count("MSG_SIZE_TOO_LARGE") == 1
    assert len(bus.event_ids(topic, 1)) == 1


# The command produce_event


LOGIN = '{"user": {"id": 5, "is_active": true, "pii": {"username": "learner", "email": "learner@example.com"}}}'


def produce(settings: dict[str, Any], topic: str, **options: str) -> ServiceProcess:
    values = {
        "signal": "openedx_events.learning.signals.SESSION_LOGIN_COMPLETED",
        "topic": topic,
        "key-field": "user.id",
        "data": LOGIN,
    } | {name.replace("_", "-"): value for name, value in options.items()}
    arguments = [part for name, value in values.items() for part in (f"--{name}", value)]
    return ServiceProcess("produce_event", *arguments, settings=settings)


def test_the_command_produce_event_sends_an_event_and_prints_its_topic_and_partition_and_offset(
    bus: Bus, topic: str
) -> None:
    with produce(bus.settings(), topic) as process:
        assert process.end() == 0
    (event_id,) = bus.event_ids(topic, 1)
    assert f"Event {event_id} is in Kafka: {topic}, partition 0, offset 0" in process.log


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"signal": "no.such.SIGNAL"}, 1, "no.such.SIGNAL"),
        ({"signal": "openedx_events.learning.data.CourseData"}, 1, "is no OpenEdxPublicSignal"),
        ({"data": "{"}, 2, "not valid JSON"),
        ({"data": '{"user": {"id": 5}}'}, 1, "user.is_active"),
        ({"data": "{}"}, 1, "field user"),
        ({"key_field": "user.nothing"}, 1, "fails at 'nothing'"),
    ],
)
def test_the_command_produce_event_reports_an_invalid_argument_without_a_traceback(
    sandbox: Any, options: dict[str, str], code: int, text: str
) -> None:
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": sandbox.bootstrap_servers,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": sandbox.schema_registry_url,
    }
    with produce(settings, "by-hand", **options) as process:
        assert process.end() == code
    assert text in process.log
    assert "Traceback" not in process.log
