"""
Every setting of the package. The reference page is generated from this table, and the system check reads each entry.
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
        "Event type → topic → event_key_field, enabled (both read by openedx-events), mode and database (by us).",
    )
    producer_mode = Setting(
        "EVENT_BUS_PRODUCER_MODE",
        MODE,
        "on-commit",
        "How events leave: on-commit, outbox (through a table, by a relay), or immediate (at once).",
    )
    topic_modes = Setting(
        "EVENT_BUS_KAFKA_TOPIC_MODES",
        mapping_of(MODE, "topic → mode"),
        {},
        "Topic → mode, where configurations are merged by openedx-events, which drops the key mode.",
    )
    poll_interval = Setting(
        "EVENT_BUS_KAFKA_POLL_INTERVAL_SEC",
        SECONDS,
        1.0,
        "Seconds between two looks of the producer's thread at delivery reports.",
    )
    send_timeout = Setting(
        "EVENT_BUS_KAFKA_SEND_TIMEOUT",
        SECONDS,
        2.0,
        "The longest, in seconds, that a send may hold a request: registry and full local queue together.",
    )
    delivery_timeout = Setting(
        "EVENT_BUS_KAFKA_DELIVERY_TIMEOUT",
        SECONDS,
        30.0,
        "Seconds after which an unconfirmed event goes into the outbox, where that is migrated.",
    )
    shutdown_flush = Setting(
        "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH", SECONDS, 5.0, "Seconds that an ending process waits for confirmations."
    )
    shutdown_spill = Setting(
        "EVENT_BUS_KAFKA_SHUTDOWN_SPILL",
        SECONDS,
        5.0,
        "Seconds for which an ending process then puts into the outbox what was not confirmed.",
    )

    # The relay
    relay_poll_interval = Setting(
        "EVENT_BUS_KAFKA_RELAY_POLL_INTERVAL",
        number(least=0.001, most=30),
        0.1,
        "Seconds between two looks of an idle relay at the outbox.",
    )
    relay_notify = Setting(
        "EVENT_BUS_KAFKA_RELAY_NOTIFY",
        FLAG,
        False,
        "True: on PostgreSQL each transaction with events wakes the relays (NOTIFY), which look once a second besides.",
    )
    parked_holds_key = Setting(
        "EVENT_BUS_KAFKA_OUTBOX_PARKED_HOLDS_KEY",
        FLAG,
        False,
        "True: what follows a parked row of its key waits until that is released or discarded.",
    )

    # Consuming
    consumers_enabled = Setting("EVENT_BUS_KAFKA_CONSUMERS_ENABLED", FLAG, True, "False: workers end at once, exit 0.")
    subscriptions = Setting(
        "EVENT_BUS_KAFKA_SUBSCRIPTIONS",
        mapping_of(SOME_TEXTS, "consumer group → topics"),
        {},
        "Consumer group → topics (without prefix) that consume_events reads without -t; with several groups, -g says "
        "which.",
    )
    consumer_poll_timeout = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_POLL_TIMEOUT", SECONDS, 1.0, "Seconds that a worker waits for records at a time."
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
        "So many failed attempts in a row, of whatever event, stop a worker with exit code 4; None or 0: no limit.",
    )
    consumer_concurrency = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY",
        LANES,
        1,
        "Receivers that a worker runs at once, in threads; events of one key stay in order.",
    )
    window_records = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS",
        count(least=1, most=1_000_000),
        10_000,
        "Records per partition that a worker may have read and not yet committed.",
    )
    window_bytes = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_WINDOW_BYTES",
        count(least=1, most=1 << 40),
        64_000_000,
        "Bytes of records per worker that are read and not done; each partition has an equal share of one half.",
    )
    decoded_bytes = Setting(
        "EVENT_BUS_KAFKA_DECODED_BYTES",
        count(least=1_000_000, most=1 << 40),
        64_000_000,
        "Bytes of memory that one record may become; what would take more is stored as a dead letter.",
    )
    commit_interval = Setting(
        "EVENT_BUS_KAFKA_COMMIT_INTERVAL", SECONDS, 1.0, "Seconds between commits while events are being finished."
    )
    revoke_timeout = Setting(
        "EVENT_BUS_KAFKA_REVOKE_TIMEOUT", SECONDS, 30.0, "Seconds to wait for receivers when partitions move away."
    )
    stop_timeout = Setting(
        "EVENT_BUS_KAFKA_STOP_TIMEOUT",
        SECONDS,
        25.0,
        "Seconds that a stopping worker waits for running receivers; keep it below the grace period of its host.",
    )
    slow_receiver = Setting(
        "EVENT_BUS_KAFKA_SLOW_RECEIVER",
        SECONDS,
        300.0,
        "Seconds after which a receiver that still runs is named in the log, with its stack, and keeps its worker from "
        "being ready until it ends.",
    )
    connection_max_age = Setting(
        "EVENT_BUS_KAFKA_CONSUMER_CONNECTION_MAX_AGE",
        SECONDS,
        60.0,
        "Seconds after which a worker opens new database connections; those that are unusable are replaced at once.",
    )
    retry = Setting(
        "EVENT_BUS_KAFKA_RETRY",
        RETRY,
        RETRY_DEFAULTS,
        "How failed receivers are tried again: attempts, first_delay, factor, max_delay (seconds), jitter, final.",
    )
    retry_by = Setting(
        "EVENT_BUS_KAFKA_RETRY_BY",
        mapping_of(SOME_OF_RETRY, "event type or topic → what differs"),
        {},
        "Event type or topic (without prefix) → what differs from EVENT_BUS_KAFKA_RETRY; event types come first.",
    )
    circuit = Setting(
        "EVENT_BUS_KAFKA_CIRCUIT",
        CIRCUIT,
        CIRCUIT_DEFAULTS,
        "So many failures of one receiver in a row, over at least so many keys, hold its events; one is tried every "
        "probe_every seconds, and the first success lets them go on.",
    )
    unknown_event_types = Setting(
        "EVENT_BUS_KAFKA_UNKNOWN_EVENT_TYPES",
        one_of("skip", "dead-letter"),
        "skip",
        "What becomes of records whose event type no signal of this service has: skip or dead-letter.",
    )
    dead_letters = Setting(
        "EVENT_BUS_KAFKA_DEAD_LETTERS",
        TEXT,
        "auto",
        "Where dead letters go: database, topic, auto (database where migrated, else topic), or a path to a store.",
    )
    dead_letter_flood = Setting(
        "EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD",
        count(least=1, most=1_000_000_000),
        100,
        "So many dead letters in a row on one partition; further ones are held until a record succeeds there.",
    )
    retention = Setting(
        "EVENT_BUS_KAFKA_RETENTION",
        number(least=0.01, most=36_500),
        90.0,
        "Days after which workers and relays delete dead letters and parked rows, which may hold personal data, and "
        "marks of the inbox.",
    )
    history = Setting(
        "EVENT_BUS_KAFKA_HISTORY",
        number(least=0, most=36_500),
        7.0,
        "Days for which it is kept how many events were sent and received, and, without contents, what became of dead "
        "letters that are gone; 0: the former is not counted, the latter kept until workers look next, once a day.",
    )
    heartbeat = Setting(
        "EVENT_BUS_KAFKA_HEARTBEAT", number(least=0, most=3_600), 10.0, "Seconds between two heartbeats; 0: none."
    )

    # The health port
    health_port = Setting(
        "EVENT_BUS_KAFKA_HEALTH_PORT",
        optional(PORT),
        None,
        "Port on which workers and relays answer to /live, /ready and /metrics; None or 0: none.",
    )
    health_host = Setting(
        "EVENT_BUS_KAFKA_HEALTH_HOST", ANY_TEXT, "", "Address on which that port is opened; empty: all of the host's."
    )

    # Logging and traces
    audit_logging_enabled = Setting(
        "EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED", FLAG, True, "Log each sent and each processed event, by coordinates."
    )
    audit_logging_batched = Setting(
        "EVENT_BUS_KAFKA_AUDIT_LOGGING_BATCHED", FLAG, True, "Events of one moment share a line, with all their ids."
    )
    trace_context = Setting(
        "EVENT_BUS_KAFKA_TRACE_CONTEXT", one_of("link", "parent"), "link", "How a worker's spans tie to the sender's."
    )


settings = SettingsTable()


def all_settings() -> list[Setting[Any]]:
    """Return the settings in the order of the table; settings of base classes come first."""
    tables = reversed(SettingsTable.__mro__)
    return [value for table in tables for value in vars(table).values() if isinstance(value, Setting)]
