"""Rows of workers, receivers and dead letters."""

from __future__ import annotations

from docs.monitoring.dashboard.panel import Panel, Query, Unit


def _rate(counter: str, labels: str) -> str:
    return f"sum by ({labels}) (rate(event_bus_kafka_{counter}[$__rate_interval]))"


def _of_groups(gauge: str, what: str = "") -> Query:
    return Query(f"sum by (job, group) (event_bus_kafka_{gauge})", "{{group}}" + (what and f": {what}"))


def _quantile(share: float, histogram: str, labels: str) -> str:
    return f"histogram_quantile({share}, {_rate(f'{histogram}_seconds_bucket', f'{labels}, le')})"


CONSUMING = (
    Panel(
        "Lag",
        "Records that are not done. If it grows, receivers are too slow, fail, or there are too few workers.",
        (
            Query(
                "sum by (job, group, topic) (max by (job, group, topic, partition) (event_bus_kafka_lag))",
                "{{group}} {{topic}}",
            ),
        ),
    ),
    Panel(
        "Age of the oldest record that is not done",
        "By partition, the ten oldest. A line that rises by a second each second is one record that does not get on.",
        (
            Query(
                "topk(10, max by (job, group, topic, partition) (event_bus_kafka_lag_seconds))",
                "{{group}} {{topic}}[{{partition}}]",
            ),
        ),
        Unit.SECONDS,
    ),
    Panel(
        "Fill of the window",
        "Share of the records that may be read and not committed, of the ten fullest partitions. At 100 % a partition "
        "is not read on; the log names the record it waits for.",
        (
            Query(
                "topk(10, max by (job, group, topic, partition) (event_bus_kafka_window_fill_ratio))",
                "{{group}} {{topic}}[{{partition}}]",
            ),
        ),
        Unit.SHARE,
        alarming_from=1,
    ),
    Panel(
        "Records",
        "Received for the first time, and done. Done below received for long: receivers fail, or wait.",
        (
            Query(_rate("records_received_total", "job"), "{{job}}: received"),
            Query(_rate("records_done_total", "job"), "{{job}}: done"),
            Query(_rate("records_skipped_total", "job, reason"), "{{job}}: skipped, {{reason}}"),
        ),
        Unit.PER_SECOND,
    ),
    Panel(
        "From event to done",
        "Median and 95th percentile of the time from an event until its receivers have succeeded, the outbox included.",
        (
            Query(_quantile(0.5, "latency", "job"), "{{job}}: median"),
            Query(_quantile(0.95, "latency", "job"), "{{job}}: 95 %"),
        ),
        Unit.SECONDS,
    ),
    Panel(
        "In flight",
        "Records that are read and not done; keys that wait for a retry; those of them that are held, as a server is "
        "away, a circuit is open or dead letters flood.",
        (
            _of_groups("in_flight", "in flight"),
            _of_groups("retries_waiting", "keys waiting"),
            _of_groups("held_keys", "keys held"),
        ),
    ),
    Panel(
        "Lanes",
        "Threads that run receivers, and those awake, which need not be busy: see Busy lanes. All busy, and a lag: "
        "raise EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY, or run more workers.",
        (_of_groups("lanes", "all"), _of_groups("lanes_awake", "awake")),
    ),
    Panel(
        "Commits",
        "Commits of offsets. Failed ones: what was done comes again after a restart; the log says why.",
        (
            Query(_rate("commits_total", "job"), "{{job}}: confirmed"),
            Query(_rate("commits_failed_total", "job"), "{{job}}: failed"),
        ),
        Unit.PER_SECOND,
    ),
)

RECEIVERS = (
    Panel(
        "Seconds of a call, 95th percentile",
        "By receiver. The slowest one decides how many records a lane gets done.",
        (Query(_quantile(0.95, "receiver", "job, receiver"), "{{receiver}}"),),
        Unit.SECONDS,
    ),
    Panel(
        "Calls that fail",
        "By receiver. The log ends each failure with the place in the code.",
        (Query(_rate('receiver_seconds_count{outcome="failed"}', "job, receiver"), "{{receiver}}"),),
        Unit.PER_SECOND,
    ),
    Panel(
        "Busy lanes",
        "Seconds of calls per second, by receiver: how many lanes each keeps busy.",
        (Query(_rate("receiver_seconds_sum", "job, receiver"), "{{receiver}}"),),
    ),
    Panel(
        "Open circuits",
        "Receivers that failed for everything: their events are held. Mend the receiver, or pause it.",
        (_of_groups("open_circuits"),),
        alarming_from=1,
    ),
    Panel(
        "Paused receivers",
        "Each of their events becomes a dead letter: manage.py event_bus_resume, then event_dead_letters replay.",
        (Query("max by (job, group) (event_bus_kafka_paused_receivers)", "{{group}}"),),
        alarming_from=1,
    ),
    Panel(
        "Slow receivers",
        "Calls that have run for longer than EVENT_BUS_KAFKA_SLOW_RECEIVER. The log names the place where they are.",
        (_of_groups("slow_receivers"),),
        alarming_from=1,
    ),
    Panel(
        "Left out as duplicates",
        "Calls that the inbox left out, as the receiver had the event before. Many at once: a replay, or a reset.",
        (Query(_rate("duplicates_skipped_total", "job, receiver"), "{{receiver}}"),),
        Unit.PER_SECOND,
    ),
)

DEAD_LETTERS = (
    Panel(
        "Dead letters",
        "Records given up, by type: manage.py event_dead_letters list; mend the receiver, then replay.",
        (Query(_rate("records_dead_lettered_total", "job, event_type"), "{{job}}: {{event_type}}"),),
        Unit.PER_SECOND,
    ),
    Panel(
        "Attempts",
        "Attempts that failed and are followed by another, and further attempts. A hold costs the record no attempt.",
        (
            Query(_rate("attempts_failed_total", "job, outcome"), "{{job}}: failed, then {{outcome}}"),
            Query(_rate("records_retried_total", "job"), "{{job}}: retried"),
        ),
        Unit.PER_SECOND,
    ),
    Panel(
        "Floods",
        "1: so many dead letters came in a row that further ones are held. See the runbook before you choose.",
        (
            Query(
                "max by (job, group, topic, partition) (event_bus_kafka_flooded)",
                "{{group}} {{topic}}[{{partition}}]",
            ),
        ),
        alarming_from=1,
    ),
)
