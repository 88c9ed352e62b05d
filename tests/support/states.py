"""Creates states of workers and relays for tests of heartbeats, of the status and of admin pages."""

from __future__ import annotations

from typing import Any

import attrs

from event_bus_kafka.housekeeping.heartbeats import Heartbeats
from event_bus_kafka.telemetry.state import (
    ConsumerState,
    HeldTopic,
    PartitionState,
    RelayState,
    Running,
    SlowReceiver,
)

_PARTITION = PartitionState(
    topic="prod-certificates",
    partition=0,
    committed=7,
    position=8,
    end=10,
    lag=2,
    lag_age=1.5,
    window_fill=0.25,
    full_because="prod-certificates:0:8",
)
_SLOW = SlowReceiver(
    receiver="app.receivers.grade",
    seconds=301.0,
    topic="prod-certificates",
    partition=0,
    offset=8,
    stack="receivers.py:7 in grade ← “quoted”",
)
_CONSUMER = ConsumerState(
    group="mail",
    topics=("prod-certificates",),
    partitions=(_PARTITION,),
    in_flight=2,
    retries_waiting=1,
    held_keys=0,
    lanes=4,
    lanes_awake=1,
    open_circuits=("app.receivers.grade",),
    paused_receivers=(),
    flooded=(("prod-certificates", 0),),
    slow_receivers=(_SLOW,),
    obstacles=("slow receiver: app.receivers.grade",),
    is_alive=True,
)
_RELAY = RelayState(
    database="default",
    depth={"prod-certificates": 3},
    oldest_age=2.5,
    parked=1,
    held_topics=(HeldTopic(topic="prod-certificates", seconds=9.0, reason="BrokerError: UNKNOWN_TOPIC_OR_PART"),),
    obstacles=(),
    is_alive=True,
)


def consumer_state(**changes: Any) -> ConsumerState:
    """Return the state of a worker. Without ``changes`` the worker is not ready, because a receiver is slow."""
    return attrs.evolve(_CONSUMER, **changes)


class RelayOf:
    """A relay whose last state never changes."""

    database = "default"
    obstacles: tuple[str, ...] = ()
    is_alive = True
    last: RelayState | None = _RELAY

    def read(self, connection: Any) -> RelayState:
        return _RELAY


def beats_of(running: Running, totals: dict[str, int] | None = None, period: float = 10.0) -> Heartbeats:
    """Return the writer of heartbeats. ``totals`` contains the current counts, and the test may change these counts."""
    counted = {} if totals is None else totals
    return Heartbeats(running, lambda: dict(counted), period=period, service="credentials", version="0.1.0")
