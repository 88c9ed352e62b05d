"""The suite for the cost of idle processes."""

from __future__ import annotations

from benchmarks.measurements import Case, Filled, Suite
from benchmarks.plan import Plan
from benchmarks.suites.relay import DATABASES

_ONE, _RELAYED, _SENT = "idle-one", "idle-relayed", "idle-sent"
_OUTBOX = {"EVENT_BUS_PRODUCER_MODE": "outbox"}
_PRODUCER = {"EVENT_BUS_PRODUCER": "event_bus_kafka.create_producer"}
_SIXTEEN = {"EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY": 16}


def idle(plan: Plan) -> Suite:
    """
    Return the suite. Its cases are workers, relays, and a process that has sent an event, most of them on a real Kafka
    and some on the sandbox.
    """
    time = {"seconds": plan.seconds, "settle": plan.settle}
    relaying = time | {"topic": _RELAYED}
    return Suite(
        name="idle",
        about="CPU time of idle workers, relays and senders, by threads; seconds from process start to first event",
        columns={
            "cpu": "CPU ms/s",
            "wakes": "wakes/s",
            "threads": "threads",
            "ready": "start to django.setup(), s",
            "first_event": "start to first event, s",
        },
        plots=["cpu", "wakes"],
        cases=[
            Case(name="worker", work="idle.worker", arguments=time, reads=(_ONE,)),
            Case(name="worker, sandbox", work="idle.worker", arguments=time, reads=(_ONE,), sandbox=True),
            Case(name="worker, 16 lanes", work="idle.worker", arguments=time, reads=(_ONE,), settings=_SIXTEEN),
            Case(
                name="worker, app installed", work="idle.worker", arguments=time, reads=(_ONE,), database="postgresql"
            ),
            *(
                Case(name=f"relay, {name}", work="idle.relay", arguments=relaying, settings=_OUTBOX, database=vendor)
                for vendor, name in DATABASES.items()
            ),
            Case(
                name="relay with NOTIFY, PostgreSQL",
                work="idle.relay",
                arguments=relaying,
                settings=_OUTBOX | {"EVENT_BUS_KAFKA_RELAY_NOTIFY": True},
                database="postgresql",
            ),
            Case(name="sender", work="idle.sender", arguments=time | {"topic": _SENT}, settings=_PRODUCER),
            Case(
                name="sender, sandbox",
                work="idle.sender",
                arguments=time | {"topic": _SENT},
                settings=_PRODUCER,
                sandbox=True,
            ),
        ],
        topics={_ONE: Filled(events=1), _RELAYED: Filled(events=0), _SENT: Filled(events=0)},
        rounds=1,
    )
