"""A relay that uses the sandbox and an SQLite file. It does a step only when the test calls ``step``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any

import attrs

from event_bus_kafka.assembly.relaying import alone_options, common_options
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.outbox import writer_schemas
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.relaying.claims import Claims
from event_bus_kafka.relaying.clients import Client, Clients
from event_bus_kafka.relaying.progress import ProgressReports, RelayStates
from event_bus_kafka.relaying.relay import Relay
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.sandbox import Sandbox
from tests.support.direct import encoded


@attrs.define
class Relaying:
    """
    A relay that sends the outbox of the default database to the sandbox. An object of this class is also the relay's
    registry: it returns the id 1 for each schema, or raises the exception that ``error`` returns for the subject.
    """

    sandbox: Sandbox
    error: Callable[[str], Exception | None] = lambda _subject: None
    options: dict[str, Any] = attrs.field(factory=dict)
    """Options of the Kafka client that sends most rows."""
    made: list[Producer] = attrs.field(factory=list)
    topics: Topics = attrs.field(init=False)
    relay: Relay = attrs.field(init=False)
    progress: ProgressReports = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        times = count(step=100)
        self.topics = Topics(clock=lambda: next(times))  # at each call every backoff is over
        states = RelayStates("default", self.topics)
        self.progress = ProgressReports("default", self.topics, states, retention=lambda: 90)
        self.relay = Relay(
            claims=Claims("default", notify=False, parked_holds_key=False),
            clients=Clients(self._connect, lambda: self._made(alone_options(self._shared))),
            registry=self,  # type: ignore[arg-type]
            poll_interval=0.01,
            topics=self.topics,
            on_step=self.progress,
            pause=lambda _: None,
        )

    def id_of(self, subject: str, schema: str, until: float = inf) -> int:
        if error := self.error(subject):
            raise error
        return 1

    def close(self) -> None: ...

    def append(self, *topics: str, users: int = 1) -> list[bytes]:
        """Append an event for each of ``topics``, alternating between ``users`` keys; return the ids of the events."""
        events = [encoded(topic, 7 + number % users) for number, topic in enumerate(topics)]
        Outbox(notify=lambda: False).append_separately(events, "default")
        return [event.event_id.encode() for event in events]

    def renew(self) -> None:
        """Drop the Kafka clients. The next step creates new clients with the current options."""
        self.relay._clients.drop()

    def forget_schemas(self) -> None:
        """
        Clear the cache of stored schemas. If a schema was deleted from the table, the next append of an event stores
        the schema again.
        """
        writer_schemas._known.clear()

    def arrived(self, topic: str, count: int, *, seconds: float = 60) -> list[bytes | None]:
        return [dict(record.headers)["ce_id"] for record in self.sandbox.records(topic, count, seconds=seconds)]

    def _connect(self, _topics: set[str]) -> Client:
        return Client(self._made(common_options(self._shared | self.options)))

    @property
    def _shared(self) -> dict[str, Any]:
        servers = self.sandbox.bootstrap_servers
        return {"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 300}

    def _made(self, options: dict[str, Any]) -> Producer:
        self.made.append(Producer(options))
        return self.made[-1]
