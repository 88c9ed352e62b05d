"""The suite for the cost of a service's start, before the service sends or consumes anything."""

from __future__ import annotations

from benchmarks.measurements import Case, Suite
from benchmarks.plan import Plan

_EVENTS, _APP = "openedx_events", "event_bus_kafka"


def start(_: Plan) -> Suite:
    """
    Return the suite. Its cases are the import of this package, and Django's start with and without the app and the
    producer.
    """
    return Suite(
        name="start",
        about="import, and django.setup() with and without the app and EVENT_BUS_PRODUCER",
        columns={"wall": "ms", "cpu": "CPU ms", "modules": "modules", "resident": "MB of the process"},
        plots=["wall"],
        cases=[
            Case(name="import event_bus_kafka", work="starting.import_package"),
            *(
                Case(name=f"django.setup(), {text}", work="starting.set_up", arguments={"apps": apps, "sends": sends})
                for text, apps, sends in (
                    ("openedx-events alone", [_EVENTS], False),
                    ("with the app", [_EVENTS, _APP], False),
                    ("with EVENT_BUS_PRODUCER", [_EVENTS], True),
                    ("with both", [_EVENTS, _APP], True),
                )
            ),
            Case(
                name="create_producer() after it",
                work="starting.set_up",
                arguments={"apps": [_EVENTS, _APP], "sends": True, "producer": True},
            ),
        ],
        rounds=5,
    )
