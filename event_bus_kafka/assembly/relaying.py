"""Creates relays from the settings. Import this module only if the app is installed."""

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
"""Maximum number of bytes in a request, according to librdkafka's default options."""
_LEAST_BYTES, _MOST_BYTES = 1_000, 1_000_000_000
"""
The smallest and the largest value of ``message.max.bytes`` that librdkafka accepts. The limit of a topic may be larger,
up to 2 GB.
"""
COMMON: Options = {"enable.gapless.guarantee": True, "max.in.flight": 1, "retries": 2**31 - 1}
"""
Options of a client that stops at the first refused request, with no later request in flight. The number of retries must
be practically unlimited, because a request that fails for lack of retries does not stop the client.
"""
MISSING_AFTER = 0.5
"""
Seconds after which librdkafka may report that a topic is missing. It asks the brokers once a second, so a relay learns
that the topic is missing before it would treat the topic as silent. A missing topic has a shorter first backoff than a
silent topic. Therefore rows wait for a shorter time if the topic is created soon.
"""
_OWN_OPTIONS: Options = {
    "topic.metadata.propagation.max.ms": round(MISSING_AFTER * 1000),
    "linger.ms": 10,  # librdkafka busy-waits in the last millisecond; a complete batch does not linger
}


def relay_worker(alias: str, at_end: ExitStack, *, once: bool = False, health_port: Any = None) -> Worker:
    """
    Return a worker that relays the outbox of database ``alias``. If ``health_port`` is None, the worker uses the port
    in the settings. If ``health_port`` is 0, the worker opens no port. ``once``: as for :func:`relay_steps`.

    Raises :class:`ConfigurationError`, as :func:`relay_steps` does.
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
    Return a relay of a database's outbox; a worker runs its steps. Until ``at_end`` closes, health pages and heartbeats
    show the relay.

    ``once``: end as soon as no row can be sent now. Raises :class:`ConfigurationError` if the settings are wrong or the
    tables are missing.
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
    """Return the librdkafka options of a relay's producer. Raises :class:`ConfigurationError`."""
    options = producer_options(DELIVERY_TIMEOUT) | _unless_given(_OWN_OPTIONS)
    if "queue.buffering.max.ms" in options:  # an alias of linger.ms; aliases below, too
        options["linger.ms"] = options.pop("queue.buffering.max.ms")
    for name in ("delivery.timeout.ms", "max.in.flight.requests.per.connection", "message.send.max.retries"):
        options.pop(name, None)
    options["message.timeout.ms"] = round(DELIVERY_TIMEOUT * 1000)  # overrides the settings: see relaying/timing.py
    return options


def _common(options: Options, others: set[str]) -> Client:
    """
    Return the client for topics that accept records. Its requests are at most as large as the smallest limit of these
    topics, because Kafka refuses a request as a whole. Only a record that is larger than this limit gets a larger
    request. If the limit of a topic is unknown, librdkafka's default is assumed.
    """
    topics = ({full_topic(route.topic) for route in routes()} | others) - {""}  # a row may name any topic
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
    Return the options of a client that stops at the first refused request. But if the settings switch idempotence off,
    the client does not stop, and may send later rows before the rows of a refused request.
    """
    is_idempotent = str(options.get("enable.idempotence", False)).lower() == "true"
    return options | (COMMON if is_idempotent else {"max.in.flight": 1})


def alone_options(options: Options) -> Options:
    """
    Return the options of a client that sends records one by one, without lingering. Unless the settings limit the size,
    the client accepts records of up to 1 GB; Kafka refuses the records that are too large.
    """
    return {"message.max.bytes": _MOST_BYTES} | options | {"linger.ms": 0}


def _compresses(options: Options) -> bool:
    """Return whether the options compress records. If so, a request may be smaller than its records."""
    return any(options.get(name, "none") != "none" for name in ("compression.type", "compression.codec"))


def _unless_given(options: Options) -> Options:
    given = {**settings.client_options, **settings.producer_options}
    return {name: value for name, value in options.items() if name not in given}


def _require_shards(alias: str, claims: Claims) -> None:
    """
    Insert the missing rows of shards. Then make a claim on no shard, to test whether the database user has the rights
    for claims. Raises :class:`ConfigurationError`.
    """
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
        text = " ".join(str(error).split())  # an error of connecting or of introspection: no event data
        raise ConfigurationError(f"Database {alias!r} cannot be used: {type(error).__name__}: {text}") from error
    reason = f"The outbox is missing in database {alias!r}: run manage.py migrate."
    if connections[alias].vendor == "mysql":
        reason += " MySQL and MariaDB hide tables to which a user has no right."
    raise ConfigurationError(reason)
