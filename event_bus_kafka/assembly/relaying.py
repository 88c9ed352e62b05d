"""Relays, made as the settings say. Imported only where the app is installed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.db import Error, connections

from event_bus_kafka.assembly.health_port import open_health_port, port_of
from event_bus_kafka.assembly.housekeeping import keep_house_of_workers
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.assembly.sending import shutdown, tell_if_forgotten
from event_bus_kafka.conf.client_options import Options, producer_options
from event_bus_kafka.conf.routes import full_topic, routes
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.kafka.admin import Admin
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.models import OutboxShard
from event_bus_kafka.outbox import backlog
from event_bus_kafka.relaying.claims import Claims, make_shards
from event_bus_kafka.relaying.clients import Client, Clients
from event_bus_kafka.relaying.drain import Drain
from event_bus_kafka.relaying.progress import ProgressReports, RelayStates
from event_bus_kafka.relaying.relay import Relay
from event_bus_kafka.relaying.timing import DELIVERY_TIMEOUT
from event_bus_kafka.relaying.topics import Topics
from event_bus_kafka.telemetry.error_text import database_error_text
from event_bus_kafka.telemetry.state import running
from event_bus_kafka.worker.worker import Worker

_REGISTRY_BACKOFF = 1.0
_NO_SHARD = -1
_ADMIN_TIMEOUT = 5.0
_LARGEST = 1_000_000
"""Bytes of a request, by librdkafka's default."""
_LEAST_BYTES, _MOST_BYTES = 1_000, 1_000_000_000
"""The largest value that librdkafka accepts as ``message.max.bytes``. A topic may have any limit up to 2 GB."""
COMMON: Options = {"enable.gapless.guarantee": True, "max.in.flight": 1, "retries": 2**31 - 1}
"""
A client that stops at the first refusal, with nothing on its way behind it. It does not stop at a request whose retries
are used up: there must be enough of them.
"""
MISSING_AFTER = 0.5
"""
Seconds until a topic that brokers do not know is missing. librdkafka asks for it once a second: it hears so before the
topic is taken for silent. One that was made just now waits in vain for no more than its first backoff.
"""
_OWN_OPTIONS: Options = {
    "topic.metadata.propagation.max.ms": round(MISSING_AFTER * 1000),
    "linger.ms": 10,  # the client spins in the last millisecond of each; what ends a batch lingers not
}


def relay_worker(alias: str, at_end: ExitStack, *, once: bool = False, health_port: Any = None) -> Worker:
    """
    Return a worker that relays a database's outbox. ``health_port`` as for a consumer's worker.

    Raises as :func:`relay_steps` does.
    """
    tell_if_forgotten()
    port = port_of(health_port)
    shutdown.begin()
    keep_house_of_workers(at_end)
    steps = relay_steps(alias, at_end, once=once)
    open_health_port(port, at_end)
    return Worker(steps, name=f"relay of database {alias}", stop_timeout=settings.stop_timeout)


def relay_steps(alias: str, at_end: ExitStack, *, once: bool = False) -> Relay | Drain:
    """
    Return the steps of a relay of a database's outbox; until ``at_end`` it counts as a relay of this process.

    ``once``: end when nothing is left. Raises :class:`ConfigurationError` if the settings are wrong or the tables are
    missing.
    """
    if alias not in connections:
        raise ConfigurationError(f"There is no database {alias!r}: name one of {', '.join(connections)}.")
    claims = Claims(alias, notify=settings.relay_notify, parked_holds_key=settings.parked_holds_key)
    options = relay_options()
    schemas = registry(backoff=_REGISTRY_BACKOFF)
    _require_tables(alias)
    _require_shards(alias, claims)
    topics = Topics()
    states = RelayStates(alias, topics)
    progress = ProgressReports(alias, topics, states, retention=lambda: settings.retention)
    relay = Relay(
        claims=claims,
        clients=Clients(lambda others: _common(options, others), lambda: Producer(alone_options(options))),
        registry=schemas,
        poll_interval=settings.relay_poll_interval,
        parked_holds_key=settings.parked_holds_key,
        topics=topics,
        on_step=progress,
    )
    at_end.enter_context(running.relay(states))
    return Drain(alias, relay, progress) if once else relay


def relay_options() -> Options:
    """Return librdkafka's options of a relay's producer. Raises :class:`ConfigurationError`."""
    options = producer_options(DELIVERY_TIMEOUT) | _unless_given(_OWN_OPTIONS)
    if "queue.buffering.max.ms" in options:  # another name, as those that follow
        options["linger.ms"] = options.pop("queue.buffering.max.ms")
    for name in ("delivery.timeout.ms", "max.in.flight.requests.per.connection", "message.send.max.retries"):
        options.pop(name, None)
    options["message.timeout.ms"] = round(DELIVERY_TIMEOUT * 1000)  # whatever was given: the fence depends on it
    return options


def _common(options: Options, others: set[str]) -> Client:
    """
    Return the client of topics that take records. Its requests are no larger than the smallest limit of these topics,
    since Kafka refuses requests as a whole; a single larger record makes a larger one. A topic whose limit is unknown
    is presumed to have the usual one.
    """
    topics = ({full_topic(route.topic) for route in routes()} | others) - {""}  # a row may name any
    told = Admin(options).largest_requests(topics, timeout=_ADMIN_TIMEOUT)
    limits = [told.get(topic, _LARGEST) for topic in topics]
    if told:
        options = {"message.max.bytes": min(max(_LEAST_BYTES, *limits), _MOST_BYTES)} | options
        options["batch.size"] = max(min(*limits, _number(options.get("batch.size"), _LARGEST)), 1)
    return Client(Producer(common_options(options)), {} if _compresses(options) else told)


def _number(given: object, default: int) -> int:
    return int(str(given)) if str(given).isdecimal() else default


def common_options(options: Options) -> Options:
    """
    Return the options of a client that stops at the first refusal. Where idempotence was switched off on purpose there
    is none: rows behind a refused request leave before it.
    """
    is_idempotent = str(options.get("enable.idempotence", False)).lower() == "true"
    return options | (COMMON if is_idempotent else {"max.in.flight": 1})


def alone_options(options: Options) -> Options:
    """
    Return the options of a client for records that travel alone. It does not linger, and leaves it to Kafka to refuse a
    record by its size: the common client may take more than librdkafka's default.
    """
    return {"message.max.bytes": _MOST_BYTES} | options | {"linger.ms": 0}


def _compresses(options: Options) -> bool:
    """Whether a record may be smaller on its way than it is."""
    return any(options.get(name, "none") != "none" for name in ("compression.type", "compression.codec"))


def _unless_given(options: Options) -> Options:
    given = {**settings.client_options, **settings.producer_options}
    return {name: value for name, value in options.items() if name not in given}


def _require_shards(alias: str, claims: Claims) -> None:
    """Make the rows of shards, and claim none, which takes the rights that a claim takes."""
    try:
        make_shards(alias)
        with claims.claim([_NO_SHARD]):
            pass
    except Error as error:
        table, user = OutboxShard._meta.db_table, connections[alias].settings_dict["USER"] or "its user"
        raise ConfigurationError(
            f"A relay cannot use {table} in database {alias!r}: {database_error_text(error)}. "
            f"If it lacks rights: GRANT SELECT, INSERT, UPDATE ON {table} TO {user}"
        ) from error
    finally:
        claims.close()


def _require_tables(alias: str) -> None:
    try:
        if backlog.is_migrated(connections[alias]):
            return
    except Error as error:
        text = " ".join(str(error).split())  # of a connection, or of Django's look at the tables: it quotes no event
        raise ConfigurationError(f"Database {alias!r} cannot be used: {type(error).__name__}: {text}") from error
    reason = f"The outbox is missing in database {alias!r}: run manage.py migrate."
    if connections[alias].vendor == "mysql":
        reason += " MySQL and MariaDB hide tables to which a user has no right."
    raise ConfigurationError(reason)
