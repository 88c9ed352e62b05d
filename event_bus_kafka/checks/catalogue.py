"""
The table of all system checks, by id. The reference page is generated from this table, and also shows a wrong
configuration for each id.
"""

from __future__ import annotations

from django.core.checks import CheckMessage, Error, Warning

_PREFIX = "event_bus_kafka."
CATALOGUE = {
    "E001": "A setting has a wrong value.",
    "E002": "No client or worker can be created with the settings. The check passes the options to librdkafka, which "
    "contacts no server.",
    "E003": "A dotted path cannot be imported, or names a wrong object.",
    "E004": "Events of an enabled type cannot be encoded.",
    "E005": "``event_key_field`` does not lead to a required field of a simple type.",
    "E006": "A route of an event type to a topic is wrong: its mode, database or shape.",
    "E007": "A topic is enabled, but ``openedx_events`` is not in ``INSTALLED_APPS``: nothing is sent.",
    "E008": "A receiver under ``once(using=…)`` names a database that does not exist.",
    "E009": "Kafka does not accept the name of a topic.",
    "E010": "The tables of a database cannot be queried. Only ``check --database`` and ``migrate`` query them.",
    "W001": "An ``EVENT_BUS_KAFKA_*`` setting is unknown.",
    "W002": "One half of a pair of credentials is missing.",
    "W003": "``EVENT_BUS_KAFKA_TOPIC_MODES`` names a topic that is not configured.",
    "W004": "Tables of this app are missing. Without the outbox, events that Kafka does not confirm are lost. Only "
    "``check --database`` looks for tables.",
    "W005": "The outbox is on SQLite, which allows a single relay.",
    "W006": "``EVENT_BUS_KAFKA_RELAY_NOTIFY`` without PostgreSQL.",
    "W007": "A topic's name contains the prefix, which is added again.",
    "W008": "A file named in the clients' options, such as a certificate, does not exist. Without the file no client "
    "can be created. This is only a warning, since images are built before certificates are mounted.",
    "W009": "Two receivers of an event have the same name, such as functions defined inside a function. If one fails, "
    "a replay of its dead letter runs both. Give each a different ``dispatch_uid``.",
    "W010": "A pool of database connections has fewer connections than a worker may need.",
    "W011": "An event type, for example with a hyphen, is not a valid Avro namespace. Some registries refuse its "
    "schema.",
    "W012": "An event type ends without a version.",
    "W013": "Settings of times contradict each other.",
    "W014": "Topics are enabled, but ``EVENT_BUS_PRODUCER`` is not set: nothing is sent. Each worker logs this, too.",
    "W015": "An address of a broker does not have the form host:port.",
    "W016": "``EVENT_BUS_KAFKA_RETRY_BY`` names an event type that no signal has.",
}
"""Number of a check → a sentence about the mistake that the check finds."""


def error_message(number: str, message: str, hint: str | None) -> CheckMessage:
    """Return an error whose id ends with ``number``, a key of :data:`CATALOGUE`."""
    return Error(message, hint=hint, id=_id(number))


def warning_message(number: str, message: str, hint: str) -> CheckMessage:
    """Return a warning whose id ends with ``number``, a key of :data:`CATALOGUE`."""
    return Warning(message, hint=hint, id=_id(number))


def _id(number: str) -> str:
    assert number in CATALOGUE, number
    return f"{_PREFIX}{number}"
