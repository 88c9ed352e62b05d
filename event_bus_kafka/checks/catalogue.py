"""Every id of the system checks. The reference page is generated from it, and from configurations that break each."""

from __future__ import annotations

from django.core.checks import CheckMessage, Error, Warning

_PREFIX = "event_bus_kafka."
CATALOGUE = {
    "E001": "A setting has a wrong value.",
    "E002": "No client or worker can be made of the settings: librdkafka is asked, without contacting anybody, whether "
    "it takes the options, each and all together.",
    "E003": "A dotted path leads nowhere, or to something else.",
    "E004": "Events of an enabled type cannot be encoded.",
    "E005": "``event_key_field`` does not lead to a required field of a simple type.",
    "E006": "A route of an event type to a topic is wrong: its mode, database or shape.",
    "E007": "A topic is enabled, but ``openedx_events`` is not in ``INSTALLED_APPS``: nothing is sent.",
    "E008": "A receiver under ``once(using=…)`` names a database that is not there.",
    "E009": "A topic has a name that Kafka does not take.",
    "E010": "A database cannot be asked for its tables. Only ``check --database`` and ``migrate`` ask.",
    "W001": "An ``EVENT_BUS_KAFKA_*`` setting is unknown.",
    "W002": "One half of a pair of credentials is missing.",
    "W003": "``EVENT_BUS_KAFKA_TOPIC_MODES`` names a topic that is not configured.",
    "W004": "Tables are missing: of the outbox, and what Kafka does not confirm is lost. Only ``check --database`` "
    "asks.",
    "W005": "The outbox is on SQLite: one relay at a time.",
    "W006": "``EVENT_BUS_KAFKA_RELAY_NOTIFY`` without PostgreSQL.",
    "W007": "A topic is named with the prefix, which is put before it once more.",
    "W008": "A file of the clients' options, such as a certificate, is not there. A warning, since images are built "
    "before certificates come: until it is there no client can be made.",
    "W009": "Two receivers of an event have one name, as functions made in a function have: if one fails, a replay of "
    "its dead letter runs all of that name. A ``dispatch_uid`` of its own tells each from the others.",
    "W010": "A pool of database connections is smaller than its worker.",
    "W011": "An event type is no namespace of Avro, as one with a hyphen: some registries refuse its schema, others do "
    "not.",
    "W012": "An event type ends without a version.",
    "W013": "Times contradict each other.",
    "W014": "Topics are enabled, but ``EVENT_BUS_PRODUCER`` is not set: nothing is sent. Each worker says so, too.",
    "W015": "An address of a broker has another form than host:port.",
    "W016": "``EVENT_BUS_KAFKA_RETRY_BY`` names an event type that no signal has.",
}
"""Number of the check → sentence about the mistake."""


def error_message(number: str, message: str, hint: str | None) -> CheckMessage:
    """Return an error, by a number of the catalogue."""
    return Error(message, hint=hint, id=_id(number))


def warning_message(number: str, message: str, hint: str) -> CheckMessage:
    """Return a warning, by a number of the catalogue."""
    return Warning(message, hint=hint, id=_id(number))


def _id(number: str) -> str:
    assert number in CATALOGUE, number
    return f"{_PREFIX}{number}"
