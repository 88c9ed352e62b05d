"""Creates states of workers and relays for tests of metrics and of the health port."""

from __future__ import annotations

from typing import Any

import attrs

from event_bus_kafka.telemetry.state import ConsumerState, HeldTopic, PartitionState, RelayState

_PARTITION = PartitionState(
    topic="t",
    partition=3,
    committed=7,
    position=8,
    end=10,
    lag=2,
    lag_age=1.5,
    window_fill=0.25,
    full_because="",
)
_CONSUMER = ConsumerState(
    group="g",
    topics=("t",),
    partitions=(_PARTITION,),
    in_flight=4,
    retries_waiting=3,
    held_keys=1,
    lanes=5,
    lanes_awake=2,
    open_circuits=("app.receiver",),
    paused_receivers=("app.one", "app.two"),
    flooded=(("t", 3),),
    slow_receivers=(),
    obstacles=(),
    is_alive=True,
)


def consumer(**changes: Any) -> ConsumerState:
    """Return the state of a worker. Without ``changes`` the worker is alive and ready."""
    return attrs.evolve(_CONSUMER, **changes)


@attrs.frozen(kw_only=True)
class RelayOf:
    """A relay whose last state has the given values."""

    depth: dict[str, int] = attrs.field(factory=dict)
    held: tuple[HeldTopic, ...] = ()
    obstacles: tuple[str, ...] = ()
    is_alive: bool = True
    database: str = "default"

    @property
    def last(self) -> RelayState:
        return RelayState(
            database=self.database,
            depth=self.depth,
            oldest_age=None,
            parked=6,
            held_topics=self.held,
            obstacles=self.obstacles,
            is_alive=self.is_alive,
        )

    def read(self, connection: Any) -> RelayState:
        return self.last
