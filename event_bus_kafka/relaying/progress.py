"""Relays as the settings want them, and what they tell of their work. Imported only where the app is installed."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from django.db import Error, connections

from event_bus_kafka.conf.client_options import Options, producer_options, schema_registry_options
from event_bus_kafka.conf.routes import full_topic, routes
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import ConfigurationError, WorkerFailed
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.kafka.client import Producer
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.outbox import backlog
from event_bus_kafka.outbox.backlog import Backlog
from event_bus_kafka.relaying.claims import Claims, make_shards
from event_bus_kafka.relaying.relay import BOUND, DELIVERY_TIMEOUT, Relay, StepResult
from event_bus_kafka.relaying.topic_backoff import TopicBackoff
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import RelayProgress

_REGISTRY_REST = 1.0
_ADMIN_TIMEOUT = 5.0
_LARGEST = 1_000_000
"""Bytes of a request, by librdkafka's default."""
_TELL_EVERY = 10.0
_PURGE_EVERY = 86_400.0
_FRUITLESS = 30.0
"""Seconds without a sent row after which ``--once`` gives up."""
_OWN_OPTIONS: Options = {
    "topic.metadata.propagation.max.ms": round(BOUND * 500),
    "linger.ms": 10,  # the client spins in the last millisecond of each; what ends a batch lingers not
}


def relay_worker(alias: str, *, once: bool = False) -> Relay | Drain:
    """
    Return the steps of a relay of a database's outbox; ``once``: until nothing is left.

    Raises :class:`ConfigurationError` where it could not work: the settings are wrong or the tables are missing.
    """
    if alias not in connections:
        raise ConfigurationError(f"There is no database {alias!r}: name one of {', '.join(connections)}.")
    claims = Claims(alias, notify=settings.relay_notify, parked_holds_key=settings.parked_holds_key)
    options = producer_options(DELIVERY_TIMEOUT) | _unless_given(_OWN_OPTIONS)
    options.pop("delivery.timeout.ms", None)  # its other name
    options["message.timeout.ms"] = round(DELIVERY_TIMEOUT * 1000)  # whatever was given: the fence depends on it
    registry = SchemaRegistry(
        schema_registry_options(),
        timeout=settings.registry_timeout,
        register=settings.auto_register_schemas,
        rest=_REGISTRY_REST,
    )
    _require_tables(alias)
    make_shards(alias)
    backoff = TopicBackoff()
    progress = ProgressReports(alias, backoff)
    relay = Relay(
        claims=claims,
        connect=lambda others: Producer(options | _sizes(options, others)),
        registry=registry,
        poll_interval=settings.relay_poll_interval,
        parked_holds_key=settings.parked_holds_key,
        backoff=backoff,
        on_step=progress,
    )
    return Drain(alias, relay, progress) if once else relay


class ProgressReports:
    """Tells of rates and backlog every ten seconds, warns of rows that wait too long, purges parked rows once a day."""

    def __init__(self, alias: str, backoff: TopicBackoff, clock: Callable[[], float] = monotonic) -> None:
        self._alias = alias
        self._backoff = backoff
        self._clock = clock
        self._told = self._sent_last = clock()
        self._purged: float | None = None
        self._sent = 0
        self.is_drained = False

    @property
    def seconds_without_success(self) -> float:
        return self._clock() - self._sent_last

    def __call__(self, stepped: StepResult) -> None:
        now = self._clock()
        self._sent += stepped.sent
        self.is_drained = not stepped.left
        if stepped.sent or stepped.parked:
            self._sent_last = now
        if now - self._told >= _TELL_EVERY:
            self._tell(now)

    def _tell(self, now: float) -> None:
        connections[self._alias].close_if_unusable_or_obsolete()
        found = Backlog.of(self._alias)
        emit(
            RelayProgress(
                database=self._alias,
                sent=self._sent,
                rate=self._sent / (now - self._told),
                depth=found.depth,
                oldest=found.oldest,
                parked=tuple(found.parked.items()),
                held=self._backoff.topics(),
            )
        )
        backlog.warn_if_stalled(self._alias, found.oldest)
        self._told, self._sent = now, 0
        if self._purged is None or now - self._purged >= _PURGE_EVERY:
            self._purged = now
            backlog.purge(self._alias, settings.retention)


class Drain:
    """Steps of a relay until nothing is left that could be sent."""

    def __init__(self, alias: str, relay: Relay, progress: ProgressReports) -> None:
        self._alias = alias
        self._relay = relay
        self._progress = progress

    def step(self) -> None:
        """Raises :class:`WorkerFailed` at the end, with exit code 0 if nothing is left."""
        self._relay.step()
        if self._progress.is_drained:
            self._end("its rows have to wait")
        if self._progress.seconds_without_success > _FRUITLESS:
            self._end(f"nothing could be sent for {_FRUITLESS:g} seconds")

    def stop(self, *, timeout: float) -> int:
        return self._relay.stop(timeout=timeout)

    def _end(self, left: str) -> None:
        try:
            depth = Backlog.of(self._alias).depth
        except Error as error:
            raise WorkerFailed(f"{left}: {type(error).__name__}", exit_code=3) from error
        if depth:
            raise WorkerFailed(f"{left}: {depth} are in the outbox", exit_code=3)
        raise WorkerFailed("nothing waits any more", exit_code=0)


def _sizes(options: Options, others: set[str]) -> Options:
    """
    Make no request larger than any topic takes, but of a single record: Kafka refuses requests as a whole. The client
    refuses what no topic takes; one that does not tell is taken for an ordinary one.
    """
    topics = {full_topic(route.topic) for route in routes()} | others
    told = Admin(options).largest_requests(topics, timeout=_ADMIN_TIMEOUT)
    limits = [told.get(topic, _LARGEST) for topic in topics]
    sizes = {"batch.size": min(_LARGEST, *limits), "message.max.bytes": max(limits)} if told else {}
    return _unless_given(sizes)


def _unless_given(options: Options) -> Options:
    given = {**settings.client_options, **settings.producer_options}
    return {name: value for name, value in options.items() if name not in given}


def _require_tables(alias: str) -> None:
    try:
        if backlog.is_migrated(connections[alias]):
            return
    except Error as error:
        raise ConfigurationError(f"Database {alias!r} cannot be used: {type(error).__name__}.") from error
    raise ConfigurationError(f"The outbox is missing in database {alias!r}: run manage.py migrate.")
