"""
All settings of the package. The reference page is generated from :class:`SettingsTable`, and a system check checks the
value of each setting.
"""

from __future__ import annotations

from typing import Any

from event_bus_kafka.conf.deploying import DeploySettings
from event_bus_kafka.conf.kinds import (
    ANY_TEXT,
    FLAG,
    MAPPING,
    SOME_TEXTS,
    TEXT,
    Setting,
    count,
    mapping_of,
    number,
    one_of,
    optional,
)
from event_bus_kafka.conf.policies import CIRCUIT, CIRCUIT_DEFAULTS, RETRY, RETRY_DEFAULTS, SOME_OF_RETRY
from event_bus_kafka.conf.server_settings import SECONDS, ServerSettings

MODES = ("on-commit", "outbox", "immediate")
MODE = one_of(*MODES)
DEAD_LETTER_STORES = ("database", "topic", "auto")
LANES = count(least=1, most=1_000)
PORT = count(least=0, most=65_535)


class SettingsTable(DeploySettings, ServerSettings):
    """The settings of the event bus, as attributes."""

    # Sending
    producer_config = Setting(
        "EVENT_BUS_PRODUCER_CONFIG",
        MAPPING,
        {},
        "Event type → topic → event_key_field and enabled (openedx-events reads both), mode and database.",
    )
    producer_mode = Setting(
        "EVENT_BUS_PRODUCER_MODE",
        MODE,
        "on-commit",
        "When events are sent: on-commit, outbox (a relay sends them from a table), or immediate.",
    )
    topic_modes = Setting(
        "EVENT_BUS_KAFKA_TOPIC_MODES",
        mapping_of(MODE, "topic → mode"),
        {},
        "Topic → mode, for configurations that openedx-events merges: it drops the key mode.",
    )
    poll_interval = Setting(
        "EVENT_BUS_KAFKA_POLL_INTERVAL_SEC",
        SECONDS,
        1.0,
        "Seconds between two polls of delivery reports by the producer's thread.",
    )
    send_timeout = Setting(
        "EVENT_BUS_KAFKA_SEND_TIMEOUT",
        SECONDS,
        2.0,
        "Maximal seconds for which a send blocks its request, waiting for the registry and for a full local queue.",
    )
    delivery_timeout = Setting(
        "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT",
        SECONDS,
        30.0,
        "Seconds after which an unconfirmed event is put into the outbox, if its table is migrated.",
    )
    shutdown_flush = Setting(
        "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH", SECONDS, 5.0, "Seconds for which an ending process waits for confirmations."
    )
    shutdown_spill = Setting(
        "EVENT_BUS_KAFKA_SHUTDOWN_SPILL",
        SECONDS,
        5.0,
        "Seconds in which an ending process then puts unconfirmed events into the outbox.",
    )

    # The relay
    relay_poll_interval = Setting(
        "EVENT_BUS_KAFKA_RELAY_POLL_INTERVAL",
        number(least=0.001, most=30),
        0.1,
        "Seconds between two queries of the outbox by an idle relay.",
    )
    relay_notify = Setting(
        "EVENT_BUS_KAFKA_RELAY_NOTIFY",
        FLAG,
        False,
        "True: on PostgreSQL each transaction with events wakes the relays (NOTIFY); they also query once a second.",
    )
    parked_holds_key = Setting(
        "EVENT_BUS_KAFKA_OUTBOX_PARKED_HOLDS_KEY",
        FLAG,
        False,
        "True: later rows with the key of a parked row wait until the parked row is released or discarded.",
    )

    # Consuming
    consumers_enabled = Setting(
        "EVENT_BUS_KAFKA_CONSUMERS_ENABLED", FLAG, True, "False: workers exit at once with code 0."
    )
    subscriptions = Setting(
        "EVENT_BUS_KAFKA_SUBSCRIPTIONS",
        mapping_of(SOME_TEXTS, "consumer group → topics"),
        {},
        "Consumer group → topics (without prefix) that consume_events reads without -t. With several groups, -g names "
        "the group.",
    )
    consumer_poll_timeout = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_POLL_TIMEOUT", SECONDS, 1.0, "Seconds for which one poll waits for records."
    )
    consumer_poll_failure_sleep = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_POLL_FAILURE_SLEEP",
        number(least=0, most=86_400),
        1.0,
        "Seconds to wait after a failed poll.",
    )
    consecutive_errors_limit = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_CONSECUTIVE_ERRORS_LIMIT",
        optional(count(least=0, most=1_000_000)),
        None,
        "Number of failed attempts in a row, of any events, after which a worker exits with code 4; None or 0: no "
        "limit.",
    )
    consumer_concurrency = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY",
        LANES,
        1,
        "Number of receivers that a worker runs at once, in threads. Events of one key stay in order.",
    )
    window_records = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS",
        count(least=1, most=1_000_000),
        10_000,
        "Maximal number of records per partition that a worker has read and not yet committed.",
    )
    window_bytes = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_WINDOW_BYTES",
        count(least=1, most=1 << 40),
        64_000_000,
        "Maximal bytes of records that a worker has read and not finished. One half is common to its partitions, the "
        "other half is divided equally among them.",
    )
    decoded_bytes = Setting(
        "EVENT_BUS_KAFKA_DECODED_BYTES",
        count(least=1_000_000, most=1 << 40),
        64_000_000,
        "Bytes of memory that a decoded record may take. A record that would take more is stored as a dead letter.",
    )
    commit_interval = Setting(
        "EVENT_BUS_KAFKA_COMMIT_INTERVAL", SECONDS, 1.0, "Seconds between two commits of offsets."
    )
    revoke_timeout = Setting(
        "EVENT_BUS_KAFKA_REVOKE_TIMEOUT",
        SECONDS,
        30.0,
        "Seconds to wait for running receivers when partitions are revoked.",
    )
    stop_timeout = Setting(
        "EVENT_BUS_KAFKA_STOP_TIMEOUT",
        SECONDS,
        25.0,
        "Seconds for which a stopping worker waits for running receivers. Must be less than its host's grace period.",
    )
    slow_receiver = Setting(
        "EVENT_BUS_KAFKA_SLOW_RECEIVER",
        SECONDS,
        300.0,
        "Seconds after which a receiver that still runs is logged with its stack. The worker is not ready until this "
        "receiver ends.",
    )
    connection_max_age = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_CONNECTION_MAX_AGE",
        SECONDS,
        60.0,
        "Seconds after which a worker replaces its database connections. Unusable connections are replaced at once.",
    )
    retry = Setting(
        "EVENT_BUS_KAFKA_RETRY",
        RETRY,
        RETRY_DEFAULTS,
        "How failed receivers are retried: attempts, first_delay, factor, max_delay (seconds), jitter, final.",
    )
    retry_by = Setting(
        "EVENT_BUS_KAFKA_RETRY_BY",
        mapping_of(SOME_OF_RETRY, "event type or topic → differing fields"),
        {},
        "Event type or topic (without prefix) → fields that differ from EVENT_BUS_KAFKA_RETRY. Event types take "
        "precedence.",
    )
    circuit = Setting(
        "EVENT_BUS_KAFKA_CIRCUIT",
        CIRCUIT,
        CIRCUIT_DEFAULTS,
        "After ``failures`` failures of a receiver in a row, for at least ``keys`` different keys, its events are "
        "held. One event is tried every ``probe_every`` seconds; after the first success no event is held.",
    )
    unknown_event_types = Setting(
        "EVENT_BUS_KAFKA_UNKNOWN_EVENT_TYPES",
        one_of("skip", "dead-letter"),
        "skip",
        "How to handle records whose event type no signal of this service has: skip or dead-letter.",
    )
    dead_letters = Setting(
        "EVENT_BUS_KAFKA_DEAD_LETTERS",
        TEXT,
        "auto",
        "Store of dead letters: database, topic, auto (database if migrated, else topic), or the dotted path of a "
        "class.",
    )
    dead_letter_flood = Setting(
        "EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD",
        count(least=1, most=1_000_000_000),
        100,
        "Maximal number of dead letters in a row on one partition. Failing records are then held until one succeeds.",
    )
    retention = Setting(
        "EVENT_BUS_KAFKA_RETENTION",
        number(least=0.01, most=36_500),
        90.0,
        "Days after which workers and relays delete dead letters, parked rows (both may contain personal data), and "
        "marks of the inbox.",
    )
    history = Setting(
        "EVENT_BUS_KAFKA_HISTORY",
        number(least=0, most=36_500),
        7.0,
        "Days for which two things are kept: counts of sent and received events, and, without contents, how dead "
        "letters were settled. 0: nothing is counted, and entries of settled dead letters are deleted once a day.",
    )
    heartbeat = Setting(
        "EVENT_BUS_KAFKA_HEARTBEAT", number(least=0, most=3_600), 10.0, "Seconds between two heartbeats; 0: none."
    )

    # The health port
    health_port = Setting(
        "EVENT_BUS_KAFKA_HEALTH_PORT",
        optional(PORT),
        None,
        "Port on which workers and relays serve /live, /ready and /metrics; None or 0: no port.",
    )
    health_host = Setting(
        "EVENT_BUS_KAFKA_HEALTH_HOST", ANY_TEXT, "", "Address to which the health port is bound; empty: all addresses."
    )

    # Logging and traces
    audit_logging_enabled = Setting(
        "EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED",
        FLAG,
        True,
        "Log each sent and each processed event, with its coordinates.",
    )
    audit_logging_batched = Setting(
        "EVENT_BUS_KAFKA_AUDIT_LOGGING_BATCHED",
        FLAG,
        True,
        "True: events of the same moment share a log line with all their ids.",
    )
    trace_context = Setting(
        "EVENT_BUS_KAFKA_TRACE_CONTEXT",
        one_of("link", "parent"),
        "link",
        "Relation of a worker's spans to the sender's.",
    )


settings = SettingsTable()


def all_settings() -> list[Setting[Any]]:
    """Return all settings in the order of their definition, the settings of base classes first."""
    tables = reversed(SettingsTable.__mro__)
    return [value for table in tables for value in vars(table).values() if isinstance(value, Setting)]
