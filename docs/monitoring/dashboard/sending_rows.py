"""Rows about processes that send events, and about relays."""

from __future__ import annotations

from docs.monitoring.dashboard.panel import Panel, Query, Unit

_DEPTH = "max by (job, database, topic) (event_bus_kafka_outbox_depth)"


def _rate(counter: str, labels: str) -> str:
    return f"sum by ({labels}) (rate(event_bus_kafka_{counter}_total[$__rate_interval]))"


SENDING = (
    Panel(
        "Events sent",
        "Events that processes were asked to send, by type and mode.",
        (Query(_rate("events_sent", "event_type, mode"), "{{event_type}} ({{mode}})"),),
        Unit.PER_SECOND,
    ),
    Panel(
        "Where they went",
        "Confirmed by Kafka, written into the outbox, or into the outbox because Kafka did not confirm them. Spilled "
        "ones: Kafka is away, or slow.",
        (
            Query(_rate("events_delivered", "job"), "{{job}}: delivered"),
            Query(_rate("events_appended", "job"), "{{job}}: appended"),
            Query(_rate("events_spilled", "job"), "{{job}}: spilled"),
        ),
        Unit.PER_SECOND,
    ),
    Panel(
        "Not sent",
        "Lost: neither Kafka nor the outbox took them. Rejected: data or type are wrong. Append failed: the outbox did "
        "not take them at once. The log of the service names each.",
        (
            Query(_rate("events_lost", "job, event_type"), "{{event_type}}: lost"),
            Query(_rate("events_rejected", "job, event_type"), "{{event_type}}: rejected"),
            Query(_rate("appends_failed", "job, event_type"), "{{event_type}}: append failed"),
        ),
        Unit.PER_SECOND,
        alarming_from=0.000001,
    ),
    Panel(
        "In memory, waiting for an outbox",
        "Kafka did not confirm these events, and the database takes none. Do not kill the processes before it does.",
        (Query("sum by (job) (event_bus_kafka_spill_events)", "{{job}}"),),
        alarming_from=1,
    ),
    Panel(
        "Memory that they take",
        "Bytes of those events. When the memory for them is full, further events are lost.",
        (Query("sum by (job) (event_bus_kafka_spill_bytes)", "{{job}}"),),
        Unit.BYTES,
    ),
)

RELAYS = (
    Panel(
        "Waiting in the outbox",
        "Rows by topic, of the first 100,000. If one topic alone grows, it is held; if all do, no relay can send.",
        (Query(_DEPTH, "{{job}} {{database}}: {{topic}}"),),
    ),
    Panel(
        "Age of the oldest row",
        "Seconds. Beyond five minutes, see manage.py event_outbox status, and the relay's log.",
        (Query("max by (job, database) (event_bus_kafka_outbox_oldest_seconds)", "{{job}} {{database}}"),),
        Unit.SECONDS,
        alarming_from=300,
    ),
    Panel(
        "Rows sent",
        "Rows that Kafka has confirmed, and those that it refused for good.",
        (
            Query(_rate("relay_rows_sent", "job, event_type"), "{{event_type}}"),
            Query(_rate("relay_rows_parked", "job, event_type"), "{{event_type}}: parked"),
        ),
        Unit.PER_SECOND,
    ),
    Panel(
        "Topics held",
        "For how long a topic has taken no rows. It is missing, may not be written, or its brokers do not answer.",
        (
            Query(
                "max by (job, database, topic) (event_bus_kafka_relay_topic_held_seconds)",
                "{{job}} {{database}}: {{topic}}",
            ),
        ),
        Unit.SECONDS,
    ),
    Panel(
        "Parked rows",
        "Rows that Kafka refuses. See manage.py event_outbox parked; release or discard them.",
        (Query("max by (job, database) (event_bus_kafka_outbox_parked)", "{{job}} {{database}}"),),
        alarming_from=1,
    ),
    Panel(
        "Interruptions",
        "How often a relay began anew, as it could not send, or not use its database. Its log says why.",
        (Query("sum by (job) (increase(event_bus_kafka_relay_interruptions_total[$__rate_interval]))", "{{job}}"),),
    ),
)
