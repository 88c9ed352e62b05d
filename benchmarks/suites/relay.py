"""The suite for the speed of a relay on each database."""

from __future__ import annotations

from benchmarks.measurements import Case, Comparison, Filled, Suite
from benchmarks.plan import Plan

DATABASES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}
_GOALS = {"postgresql": 0.45, "mariadb": 0.40, "mysql": 0.40}
_BARE = "bare producer"
_TOPIC = "relay-sent"


def relay(plan: Plan) -> Suite:
    """Return the suite. Its cases are a relay on each database, and a bare producer that sends prepared records."""
    arguments = {"topic": _TOPIC, "events": plan.backlog, "warm_up": plan.warm_up}
    relays = [
        Case(
            name=name,
            work="relaying.drain",
            arguments={**arguments, "bare": False},
            settings={"EVENT_BUS_PRODUCER_MODE": "outbox"},
            database=vendor,
        )
        for vendor, name in DATABASES.items()
    ]
    bare = Case(name=_BARE, work="relaying.drain", arguments={**arguments, "bare": True})
    return Suite(
        name="relay",
        about="events per second of a relay, beside a bare producer of the same records",
        columns={"rate": "events/s", "cpu": "CPU µs/event"},
        plots=["rate"],
        cases=[*relays, bare],
        comparisons=[
            Comparison(text=f"{name} ÷ {_BARE}", of=name, to=_BARE, figure="rate", least=_GOALS[vendor])
            for vendor, name in DATABASES.items()
        ],
        topics={_TOPIC: Filled(events=0)},
        rounds=7,
    )
