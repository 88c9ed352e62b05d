"""
Test cases for each alert: series for which the alert must fire, and similar series for which the alert must not fire.
"""

from __future__ import annotations

import attrs

STEADY = "1+0x60"
NEVER = "0+0x60"
ONE_MORE_EACH_MINUTE = "0+1x60"
ONE_MORE_EACH_SECOND = "0+60x60"
BEGINS_AFTER_20 = "_x20 1+0x30"
"""The values of a counter that appears in minute 20 with its first event."""
LONG_AGO = "5+0x60"
"""The values of a counter that stopped growing before the test begins."""


@attrs.frozen(kw_only=True)
class Case:
    """
    A test of an alert. The values of a series are in the notation of promtool, one value per minute. The names of
    metrics are written without their prefix.
    """

    alert: str
    series: dict[str, str]
    """The series. The alert must fire only for the job `lms`."""
    silent: int
    """The minute at which the test checks that the alert does not fire yet."""
    fires: int
    """The minute at which the test checks that the alert fires."""
    labels: dict[str, str]
    """The labels of the alert, except `job` and `severity`."""
    value: str = ""
    """The value that the alert's text contains."""


def of_counter(alert: str, counter: str, **labels: str) -> Case:
    """Return the test of an alert that fires as soon as a counter grows."""
    text = "".join(f',{name}="{value}"' for name, value in labels.items())
    series = {
        f'{counter}{{job="lms",instance="a"{text}}}': BEGINS_AFTER_20,
        f'{counter}{{job="calm",instance="a"{text}}}': LONG_AGO,
    }
    return Case(alert=alert, series=series, silent=19, fires=22, labels=labels)


def of_rate(alert: str, counter: str, **labels: str) -> Case:
    """Return the test of an alert that fires if a counter has grown for ten minutes."""
    text = "".join(f',{name}="{value}"' for name, value in labels.items())
    series = {
        f'{counter}{{job="lms",instance="a"{text}}}': ONE_MORE_EACH_MINUTE,
        f'{counter}{{job="calm",instance="a"{text}}}': "0+1x5 5+0x60",
    }
    kept = {name: value for name, value in labels.items() if name != "outcome"}
    return Case(alert=alert, series=series, silent=9, fires=15, labels=kept)


def of_gauge(alert: str, gauge: str, *, fires: int, value: str = "1", **labels: str) -> Case:
    """Return the test of an alert that fires if a gauge is not 0 for some time."""
    text = "".join(f',{name}="{value}"' for name, value in labels.items())
    series = {
        f'{gauge}{{job="lms",instance="a"{text}}}': f"{value}+0x60",
        f'{gauge}{{job="calm",instance="a"{text}}}': NEVER,
    }
    return Case(alert=alert, series=series, silent=fires - 2, fires=fires, labels=labels, value=value)


def of_readiness(alert: str, gauge: str, other: str, **labels: str) -> Case:
    """
    Return the test of an alert about a process that is not ready. `other` is the series of another process of the job.
    """
    text = "".join(f',{name}="{value}"' for name, value in labels.items() if name != "instance")
    series = {
        f'{gauge}{{job="lms",instance="a"{text}}}': NEVER,
        f'{gauge}{{job="lms",instance="b"{text}}}': other,
        f'{gauge}{{job="calm",instance="a"{text}}}': STEADY,
        f'{gauge}{{job="calm",instance="b"{text}}}': "0+0x4 1+0x60",
    }
    return Case(alert=alert, series=series, silent=4, fires=7, labels=labels)


def of_absence(alert: str, gauge: str, **labels: str) -> Case:
    """
    Return the test of an alert about a process that has disappeared and was not replaced. In the job `calm` another
    process replaces the disappeared process, so the alert must not fire for this job.
    """
    text = "".join(f',{name}="{value}"' for name, value in labels.items())
    series = {
        f'{gauge}{{job="lms",instance="a"{text}}}': "1+0x10 stale",
        f'{gauge}{{job="calm",instance="a"{text}}}': "1+0x10 stale",
        f'{gauge}{{job="calm",instance="b"{text}}}': "_x10 1+0x60",
    }
    return Case(alert=alert, series=series, silent=14, fires=18, labels=labels)


def of_growth(alert: str, gauge: str, labels: dict[str, str], parts: dict[str, str]) -> Case:
    """
    Return the test of an alert about a growing backlog. The backlog is the sum of two parts. Two processes report the
    same values of the first part.
    """
    text = "".join(f',{name}="{value}"' for name, value in labels.items())
    (name, (one, two)) = next((name, both.split()) for name, both in parts.items())
    series = {
        f'{gauge}{{job="lms",instance="a"{text},{name}="{one}"}}': "0+100x60",
        f'{gauge}{{job="lms",instance="b"{text},{name}="{one}"}}': "0+100x60",
        f'{gauge}{{job="lms",instance="a"{text},{name}="{two}"}}': "0+100x60",
        f'{gauge}{{job="calm",instance="a"{text},{name}="{one}"}}': "5000-10x60",
        f'{gauge}{{job="still",instance="a"{text},{name}="{one}"}}': "5000+0x60",
        f'{gauge}{{job="small",instance="a"{text},{name}="{one}"}}': ONE_MORE_EACH_MINUTE,
    }
    return Case(alert=alert, series=series, silent=15, fires=25, labels=labels, value="5000")


_PARTITION = {"group": "mail", "topic": "certificates", "partition": "3"}
_OF_PARTITION = 'instance="a",group="mail",topic="certificates",partition'
_CALLS = 'receiver_seconds_count{job="%s",instance="a",receiver="mail.receivers.congratulate",outcome="%s"}'

CASES = (
    of_counter("EventBusEventsLost", "events_lost_total", event_type="t"),
    of_counter("EventBusEventsRejected", "events_rejected_total", event_type="t"),
    of_rate("EventBusEventsSpilled", "events_spilled_total"),
    of_gauge("EventBusSpillInMemory", "spill_events", fires=6, value="2"),
    of_counter("EventBusAppendsFail", "appends_failed_total", event_type="t"),
    Case(
        alert="EventBusOutboxOld",
        series={
            'outbox_oldest_seconds{job="lms",instance="a",database="default"}': ONE_MORE_EACH_SECOND,
            'outbox_oldest_seconds{job="calm",instance="a",database="default"}': "200+0x60",
        },
        silent=7,
        fires=9,
        labels={"database": "default"},
        value="9m 0s",
    ),
    of_growth("EventBusRelayBehind", "outbox_depth", {"database": "default"}, {"topic": "certificates courses"}),
    of_readiness("EventBusRelayNotReady", "relay_ready", NEVER, database="default"),
    of_absence("EventBusRelayGone", "relay_ready", database="default"),
    Case(
        alert="EventBusRelayInterrupted",
        series={
            'relay_interruptions_total{job="lms",instance="a"}': ONE_MORE_EACH_MINUTE,
            'relay_interruptions_total{job="calm",instance="a"}': "0+1x3 3+0x60",
        },
        silent=4,
        fires=16,
        labels={},
    ),
    Case(
        alert="EventBusTopicHeld",
        series={
            'relay_topic_held_seconds{job="lms",instance="a",database="default",topic="t"}': ONE_MORE_EACH_SECOND,
            'relay_topic_held_seconds{job="calm",instance="a",database="default",topic="t"}': "0+60x4 stale",
        },
        silent=5,
        fires=6,
        labels={"database": "default", "topic": "t"},
        value="6m 0s",
    ),
    of_gauge("EventBusRowsParked", "outbox_parked", fires=2, value="3", database="default"),
    of_readiness("EventBusWorkerNotReady", "worker_ready", STEADY, group="mail", instance="a"),
    of_absence("EventBusWorkerGone", "worker_ready", group="mail"),
    of_growth("EventBusLagGrows", "lag", {"group": "mail", "topic": "certificates"}, {"partition": "0 1"}),
    Case(
        alert="EventBusPartitionStuck",
        series={
            f'lag_seconds{{job="lms",{_OF_PARTITION}="3"}}': ONE_MORE_EACH_SECOND,
            f'lag_seconds{{job="calm",{_OF_PARTITION}="3"}}': "1000+30x60",
            f'lag_seconds{{job="busy",{_OF_PARTITION}="3"}}': "0+60x4 0+60x4 0+60x4 0+60x4",
        },
        silent=9,
        fires=12,
        labels=_PARTITION,
        value="12m 0s",
    ),
    of_counter("EventBusDeadLetters", "records_dead_lettered_total", event_type="t"),
    of_gauge("EventBusFlood", "flooded", fires=2, **_PARTITION),
    of_rate("EventBusCommitsFail", "commits_failed_total"),
    of_gauge("EventBusCircuitOpen", "open_circuits", fires=3, group="mail"),
    Case(
        alert="EventBusReceiverFails",
        series={
            _CALLS % ("lms", "failed"): "0+2x60",
            _CALLS % ("lms", "done"): "0+8x60",
            _CALLS % ("calm", "failed"): "0+1x60",
            _CALLS % ("calm", "done"): "0+19x60",
        },
        silent=12,
        fires=20,
        labels={"receiver": "mail.receivers.congratulate"},
        value="20%",
    ),
    of_gauge("EventBusReceiverSlow", "slow_receivers", fires=6, group="mail"),
    Case(
        alert="EventBusReceiverPaused",
        series={
            'paused_receivers{job="lms",instance="a",group="mail"}': "2+0x700",
            'paused_receivers{job="lms",instance="b",group="mail"}': "_x710 2+0x800",
            'paused_receivers{job="calm",instance="a",group="mail"}': "2+0x700 0+0x20 2+0x800",
        },
        silent=1430,
        fires=1445,
        labels={"group": "mail"},
        value="2",
    ),
    of_rate("EventBusRegistryFails", "registry_requests_total", outcome="failed"),
    of_rate("EventBusClientErrors", "client_errors_total", client="consumer", kind="unreachable"),
    of_gauge("EventBusNeglected", "neglects", fires=16, value="1", kind="outbox-waits"),
    of_counter("EventBusFaults", "faults_total", place="observer"),
)
