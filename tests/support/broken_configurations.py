"""
Wrong configurations, each with a single mistake, and the messages of Django's checks about each mistake.

Tests verify each configuration. The page "System checks" is generated from these configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import attrs
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka import once
from event_bus_kafka.dispatching import inbox

CREATED = "org.openedx.learning.certificate.created.v1"
UNENCODABLE = "org.openedx.content_authoring.course.certificate_config.changed.v1"
HYPHEN, VERSIONLESS = "org.example.redemption-reversed.v1", "org.example.redemption.reversed"
RIGHT: dict[str, Any] = {
    "EVENT_BUS_PRODUCER": "event_bus_kafka.create_producer",
    "EVENT_BUS_CONSUMER": "event_bus_kafka.KafkaEventConsumer",
    "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://registry",
    "EVENT_BUS_PRODUCER_CONFIG": {
        CREATED: {"certificates": {"event_key_field": "certificate.course.course_key", "enabled": True}}
    },
}


def sent(event_type: str = CREATED, topic: str = "certificates", **entry: Any) -> dict[str, Any]:
    """
    Return settings with which events of a type are sent to a topic. ``entry`` changes the topic's configuration; the
    value None removes a key.
    """
    values = {"event_key_field": "certificate.course.course_key", "enabled": True} | entry
    kept = {name: value for name, value in values.items() if value is not None}
    return {"EVENT_BUS_PRODUCER_CONFIG": {event_type: {topic: kept}}}


def reads(*topics: str) -> dict[str, Any]:
    return {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {"credentials": list(topics)}}


def findings(changes: dict[str, Any]) -> list[CheckMessage]:
    """
    Return the messages of the checks about a valid configuration that ``changes`` modifies. A setting with the value
    None counts as not set.
    """
    with override_settings(**(RIGHT | changes)):
        return run_checks(tags=["event_bus_kafka"])


@attrs.frozen
class Broken:
    """
    A wrong configuration.

    ``says`` is a part of the expected message. ``times`` is the number of messages: 2 if the producer's check and the
    consumer's check report the same mistake. ``around`` is a context manager that makes a mistake outside of the
    settings, and ``shown`` is the source code of this mistake for the documentation.
    """

    title: str
    number: str
    says: str
    changes: dict[str, Any] = attrs.field(factory=dict)
    times: int = 1
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    shown: str = ""

    def messages(self) -> list[CheckMessage]:
        """Return the messages of the checks about this configuration."""
        with self.around():
            return findings(self.changes)


@contextmanager
def _signal(event_type: str) -> Iterator[None]:
    signal = OpenEdxPublicSignal(event_type=event_type, data=CERTIFICATE_CREATED.init_data)
    try:
        yield
    finally:
        OpenEdxPublicSignal.instances.remove(signal)
        OpenEdxPublicSignal._mapping.pop(event_type)


@contextmanager
def _once_elsewhere() -> Iterator[None]:
    known = inbox._aliases
    inbox._aliases = {"default"}
    try:

        @once(using="reprots")
        def receive(**_: Any) -> None: ...

        yield
    finally:
        inbox._aliases = known


@contextmanager
def _receivers_of_one_name() -> Iterator[None]:
    def made() -> Callable[..., None]:
        def receive(**_: Any) -> None: ...

        return receive

    both = [made(), made()]
    for one in both:
        CERTIFICATE_CREATED.connect(one)
    try:
        yield
    finally:
        for one in both:
            CERTIFICATE_CREATED.disconnect(one)


@contextmanager
def _small_pool() -> Iterator[None]:
    options = connections.settings["default"]["OPTIONS"]
    options["pool"] = {"max_size": 2}
    try:
        yield
    finally:
        del options["pool"]


_SASL = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}
_PREFIX = {"EVENT_BUS_TOPIC_PREFIX": "stage"}

BROKEN = (
    Broken("text in place of a number", "E001", "must be a number", {"EVENT_BUS_KAFKA_SEND_TIMEOUT": "2"}),
    Broken("text in place of a bool", "E001", "True or False", {"EVENT_BUS_KAFKA_CONSUMERS_ENABLED": "False"}),
    Broken("half a record", "E001", "whole number", {"EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS": 1.5}),
    Broken("a mode that does not exist", "E001", "one of 'on-commit'", {"EVENT_BUS_PRODUCER_MODE": "outbocks"}),
    Broken(
        "a topic in place of a list",
        "E001",
        "'credentials' is not a list of one or more str",
        {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {"credentials": "certificates"}},
    ),
    Broken("a misspelt part of a policy", "E001", "'atempts' is none of", {"EVENT_BUS_KAFKA_RETRY": {"atempts": 3}}),
    Broken("no partitions", "E001", "'partitions' must be", {"EVENT_BUS_KAFKA_TOPICS": {"t": {"partitions": 0}}}),
    Broken("no broker", "E002", "BOOTSTRAP_SERVERS is not set", {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": None}, times=2),
    Broken("no registry", "E002", "REGISTRY_URL is not set", {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": None}, times=2),
    Broken(
        "a registry without a scheme",
        "E002",
        "must begin with http",
        {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "registry:8081"},
        times=2,
    ),
    Broken("an unsafe option", "E002", "Option 'acks'", {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"acks": 1}}),
    Broken(
        "an option that skips events",
        "E002",
        "may lose events",
        {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"auto.offset.reset": "latest"}},
    ),
    Broken(
        "an option that librdkafka does not know",
        "E002",
        'No such configuration property: "linger.mss"',
        {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.mss": 1}},
    ),
    Broken(
        "an option of another kind",
        "E002",
        "Invalid value",
        {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"session.timeout.ms": "long"}},
    ),
    Broken("a login without a user", "E002", "sasl.username", {"EVENT_BUS_KAFKA_CLIENT_OPTIONS": _SASL}, times=2),
    Broken(
        "a final error that cannot be imported",
        "E002",
        "no.such.Error",
        {"EVENT_BUS_KAFKA_RETRY": {"final": ["no.such.Error"]}},
    ),
    Broken("a misspelt producer", "E003", "create_producr", {"EVENT_BUS_PRODUCER": "event_bus_kafka.create_producr"}),
    Broken(
        "a misspelt package",
        "E003",
        "No module named",
        {"EVENT_BUS_CONSUMER": "event_bus_kafak.KafkaEventConsumer"},
    ),
    Broken(
        "a module in place of a class",
        "E003",
        "not callable",
        {"EVENT_BUS_CONSUMER": "event_bus_kafka.errors.__name__"},
    ),
    Broken("a path without a module", "E003", "Empty module name", {"EVENT_BUS_PRODUCER": ".create_producer"}),
    Broken(
        "the consumer in place of the producer",
        "E003",
        "it is not this package's entry point",
        {"EVENT_BUS_PRODUCER": "event_bus_kafka.KafkaEventConsumer"},
    ),
    Broken(
        "a store that cannot be imported",
        "E003",
        "EVENT_BUS_KAFKA_DEAD_LETTERS = 'databse' cannot be used",
        {"EVENT_BUS_KAFKA_DEAD_LETTERS": "databse"},
    ),
    Broken("a class that has no schema", "E004", "signatories.image", sent(UNENCODABLE)),
    Broken("a key that is an object", "E005", "cannot be a key", sent(event_key_field="certificate.course")),
    Broken("a misspelt key", "E005", "fails at 'corse'", sent(event_key_field="certificate.corse.course_key")),
    Broken("a mode that does not exist, for a topic", "E006", "must be one of 'on-commit'", sent(mode="later")),
    Broken("a database that is not there", "E006", "no database 'replica'", sent(database="replica")),
    Broken("a topic without a key", "E006", "needs 'event_key_field'", sent(event_key_field=None)),
    Broken("no app of openedx-events", "E007", "no event is sent", {"INSTALLED_APPS": ["event_bus_kafka"]}),
    Broken(
        "an inbox in a database that does not exist",
        "E008",
        "there is no such database. Name one of default",
        around=_once_elsewhere,
        shown='@once(using="reprots")',
    ),
    Broken(
        "a topic with a space",
        "E009",
        "Kafka refuses the name 'course certificates'",
        sent(topic="course certificates"),
    ),
    Broken("a topic with a slash", "E009", "Kafka refuses the name 'learning/grades'", reads("learning/grades")),
    Broken(
        "a misspelt setting",
        "W001",
        "Did you mean EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS?",
        {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVER": "kafka:9092"},
    ),
    Broken("a user without a password", "W002", "EVENT_BUS_KAFKA_API_SECRET", {"EVENT_BUS_KAFKA_API_KEY": "user"}),
    Broken(
        "a password without a user, at the registry",
        "W002",
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY",
        {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_SECRET": "secret"},
    ),
    Broken(
        "a mode for a topic that is misspelt",
        "W003",
        "'certs'",
        {"EVENT_BUS_KAFKA_TOPIC_MODES": {"certs": "immediate"}},
    ),
    Broken("an outbox on SQLite", "W005", "run one relay at a time", sent(mode="outbox")),
    Broken("the prefix in a topic of sent events", "W007", "write 'grades'", sent(topic="stage-grades") | _PREFIX),
    Broken("the prefix in a topic that is read", "W007", "'stage-stage-grades'", reads("stage-grades") | _PREFIX),
    Broken(
        "the prefix in a topic to create",
        "W007",
        "write 'grades'",
        {"EVENT_BUS_KAFKA_TOPICS": {"stage-grades": {}}} | _PREFIX,
    ),
    Broken(
        "a certificate that is not there",
        "W008",
        "'ssl.ca.location' does not exist: /nowhere/ca.pem",
        {"EVENT_BUS_KAFKA_CLIENT_OPTIONS": {"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem"}},
        times=2,
    ),
    Broken(
        "two receivers of one name",
        "W009",
        f"2 receivers of {CREATED} have the name",
        around=_receivers_of_one_name,
        shown="for course in courses:\n    CERTIFICATE_CREATED.connect(make_receiver(course))",
    ),
    Broken(
        "a pool that is too small",
        "W010",
        "has 2 connections, and a worker may need",
        around=_small_pool,
        shown='DATABASES["default"]["OPTIONS"] = {"pool": {"max_size": 2}}',
    ),
    Broken(
        "an event type with a hyphen",
        "W011",
        "not a valid Avro namespace",
        sent(HYPHEN),
        around=lambda: _signal(HYPHEN),
    ),
    Broken(
        "an event type without a version",
        "W012",
        "ends without a version",
        sent(VERSIONLESS),
        around=lambda: _signal(VERSIONLESS),
    ),
    Broken(
        "a send timeout that is longer than the delivery timeout",
        "W013",
        "EVENT_BUS_KAFKA_SEND_TIMEOUT = 5 is longer than EVENT_BUS_KAFKA_DELIVERY_TIMEOUT = 3",
        {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 5, "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 3},
    ),
    Broken(
        "two different delivery timeouts",
        "W013",
        "message.timeout.ms = 60000 of the producer's options differs from",
        {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"message.timeout.ms": 60_000}},
    ),
    Broken(
        "a worker that polls longer than it may take to stop",
        "W013",
        "is not shorter than EVENT_BUS_KAFKA_STOP_TIMEOUT = 25",
        {"EVENT_BUS_KAFKA_CONSUMER_POLL_TIMEOUT": 30},
    ),
    Broken(
        "a worker that waits for receivers until Kafka takes it for dead",
        "W013",
        "max.poll.interval.ms = 60000",
        {"EVENT_BUS_KAFKA_REVOKE_TIMEOUT": 90, "EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"max.poll.interval.ms": 60_000}},
    ),
    Broken(
        "too few heartbeats",
        "W013",
        "heartbeat.interval.ms = 3000 is more than half of session.timeout.ms = 5000",
        {"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"session.timeout.ms": 5_000}},
    ),
    Broken(
        "delays that cannot grow",
        "W013",
        "EVENT_BUS_KAFKA_RETRY: first_delay = 90 is longer than max_delay = 60",
        {"EVENT_BUS_KAFKA_RETRY": {"first_delay": 90}},
    ),
    Broken(
        "delays that cannot grow, of one topic",
        "W013",
        "EVENT_BUS_KAFKA_RETRY_BY['grades']: first_delay = 1 is longer than max_delay = 0.5",
        {"EVENT_BUS_KAFKA_RETRY_BY": {"grades": {"max_delay": 0.5}}},
    ),
    Broken(
        "no producer", "W014", "enables certificates, but EVENT_BUS_PRODUCER is not set", {"EVENT_BUS_PRODUCER": None}
    ),
    Broken(
        "a URL in place of a broker",
        "W015",
        "not of the form host:port",
        {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "http://kafka/a"},
    ),
    Broken("a port that does not exist", "W015", "'kafka:90922'", {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "kafka:90922"}),
    Broken(
        "a misspelt event type",
        "W016",
        f"Did you mean {CREATED}?",
        {"EVENT_BUS_KAFKA_RETRY_BY": {CREATED.replace("created", "craeted"): {"attempts": 1}}},
    ),
)
