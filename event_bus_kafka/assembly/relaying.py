"""Relays, made as the settings say. Imported only where the app is installed."""

from __future__ import annotations

from django.db import Error, connections

from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.conf.client_options import Options, producer_options
from event_bus_kafka.conf.routes import full_topic, routes
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.outbox import backlog
from event_bus_kafka.relaying.claims import Claims, make_shards
from event_bus_kafka.relaying.drain import Drain
from event_bus_kafka.relaying.progress import ProgressReports
from event_bus_kafka.relaying.relay import Relay
from event_bus_kafka.relaying.timing import BATCH_TIME, DELIVERY_TIMEOUT
from event_bus_kafka.relaying.topic_backoff import TopicBackoff
from event_bus_kafka.worker.worker import Worker

_REGISTRY_BACKOFF = 1.0
_ADMIN_TIMEOUT = 5.0
_LARGEST = 1_000_000
"""Bytes of a request, by librdkafka's default."""
_OWN_OPTIONS: Options = {
    "topic.metadata.propagation.max.ms": round(BATCH_TIME * 500),
    "linger.ms": 10,  # the client spins in the last millisecond of each; what ends a batch lingers not
}


def relay_worker(alias: str, *, once: bool = False) -> Worker:
    """Return a worker that relays a database's outbox. Raises as :func:`relay_steps` does."""
    return Worker(relay_steps(alias, once=once), name=f"relay of database {alias}", stop_timeout=settings.stop_timeout)


def relay_steps(alias: str, *, once: bool = False) -> Relay | Drain:
    """
    Return the steps of a relay of a database's outbox; ``once``: until nothing is left.

    Raises :class:`ConfigurationError` where it could not work: the settings are wrong or the tables are missing.
    """
    if alias not in connections:
        raise ConfigurationError(f"There is no database {alias!r}: name one of {', '.join(connections)}.")
    claims = Claims(alias, notify=settings.relay_notify, parked_holds_key=settings.parked_holds_key)
    options = relay_options()
    schemas = registry(backoff=_REGISTRY_BACKOFF)
    _require_tables(alias)
    make_shards(alias)
    backoff = TopicBackoff()
    progress = ProgressReports(alias, backoff, retention=lambda: settings.retention)
    relay = Relay(
        claims=claims,
        connect=lambda others: Producer(options | _sizes(options, others)),
        registry=schemas,
        poll_interval=settings.relay_poll_interval,
        parked_holds_key=settings.parked_holds_key,
        backoff=backoff,
        on_step=progress,
    )
    return Drain(alias, relay, progress) if once else relay


def relay_options() -> Options:
    """Return librdkafka's options of a relay's producer. Raises :class:`ConfigurationError`."""
    options = producer_options(DELIVERY_TIMEOUT) | _unless_given(_OWN_OPTIONS)
    options.pop("delivery.timeout.ms", None)  # its other name
    options["message.timeout.ms"] = round(DELIVERY_TIMEOUT * 1000)  # whatever was given: the fence depends on it
    return options


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
