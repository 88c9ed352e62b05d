"""Creates workers that consume events, according to the settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, closing
from importlib import import_module
from typing import Any

import attrs
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.utils.module_loading import import_string

from event_bus_kafka.assembly.dead_letter_stores import keep_clean, store_for
from event_bus_kafka.assembly.health_port import open_health_port, port_of
from event_bus_kafka.assembly.housekeeping import keep_house_of_workers, periodically
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.assembly.sending import shutdown, tell_if_forgotten
from event_bus_kafka.conf.client_options import consumer_options
from event_bus_kafka.conf.routes import full_topic, retry_by_name, short_topic
from event_bus_kafka.conf.settings import LANES, settings
from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.dead_letter_limit import DeadLetterLimit
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.consuming.starting_offsets import milliseconds
from event_bus_kafka.dead_letters.letter import Store
from event_bus_kafka.dispatching.circuit import CircuitPolicy
from event_bus_kafka.dispatching.receiver_gate import ReceiverGate
from event_bus_kafka.dispatching.rejections import note_rejection
from event_bus_kafka.dispatching.retry import RetryPolicies
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.kafka.cluster.overview import ClusterOverview
from event_bus_kafka.kafka.consumer import ConsumerClient
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import ClientErrorReported, ConnectionChanged, EventRejected
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.telemetry.logs.fields import name_group
from event_bus_kafka.telemetry.state import running
from event_bus_kafka.worker.companion import WithCompanion
from event_bus_kafka.worker.refused_topics import RefusedTopics, Rights
from event_bus_kafka.worker.slow_receivers import SlowReceivers
from event_bus_kafka.worker.states import ConsumerStates
from event_bus_kafka.worker.worker import Steps, Worker

_APP = "event_bus_kafka"
_SILENCE = 30.0
"""
Seconds that are added to the duration of the longest regular step. If a step takes longer than the sum, the worker
counts as dead.
"""
_RIGHTS_WITHIN = 5.0
"""Time limit in seconds for a request to Kafka about this user's rights on refused topics."""


@attrs.frozen(kw_only=True)
class ConsumerArguments:
    """The arguments of a worker that consumes, as the caller gave them; the methods check them."""

    topic: str | Sequence[str]
    """Name of a topic, or names of several topics, without the prefix."""
    group: str
    offset_time: Any = None
    """
    Time in ISO 8601 from which each partition is read. A restart with the same value does not move the offsets again.
    """
    concurrency: Any = None
    """Maximum number of receivers that run at the same time; None: the number in the settings."""
    with_relay: bool = False
    health_port: Any = None
    """Number of the health port; None: the port in the settings; 0: no port."""

    def topics(self) -> list[str]:
        """Return the topics' full names. Raises :class:`ConfigurationError` if topic or group is empty."""
        if not self.topic or not self.group:
            raise ConfigurationError("A worker needs a topic and a consumer group.")
        return [full_topic(topic) for topic in ([self.topic] if isinstance(self.topic, str) else self.topic)]

    def milliseconds(self) -> int | None:
        """
        Return ``offset_time`` in milliseconds since the epoch. Raises :class:`ConfigurationError` if ``offset_time`` is
        not an accepted time.
        """
        try:
            return milliseconds(self.offset_time) if self.offset_time else None
        except ValueError as error:
            raise ConfigurationError(f"offset_time: {error}.") from None

    def lanes(self) -> int:
        """
        Return the number of threads that run receivers. Raises :class:`ConfigurationError` if ``concurrency`` is not an
        accepted number.
        """
        if self.concurrency is None:
            return settings.consumer_concurrency
        try:
            return LANES.read(self.concurrency)
        except ValueError:
            raise ConfigurationError(f"concurrency must be {LANES.expects}, not {self.concurrency!r}.") from None


def consumer_worker(arguments: ConsumerArguments, at_end: ExitStack) -> Worker:
    """
    Return a worker that consumes. Closing ``at_end`` closes everything that the worker uses.

    Raises :class:`ConfigurationError` if the arguments or settings are wrong.
    """
    tell_if_forgotten()
    port = port_of(arguments.health_port)
    shutdown.begin()
    keep_house_of_workers(at_end)
    relay = _relay(at_end) if arguments.with_relay else None
    topics = arguments.topics()
    name_group(arguments.group)
    consumer = _consumer(arguments, topics, at_end)
    open_health_port(port, at_end)
    return Worker(
        consumer if relay is None else WithCompanion(consumer, relay),
        name=f"consumer of topic{'s' * (len(topics) > 1)} {', '.join(topics)} in group {arguments.group}",
        stop_timeout=settings.stop_timeout,
        hurry=consumer.hurry,
    )


def processor(group: str, dead_letters: Store, schemas: SchemaRegistry) -> Processor:
    """
    Return a processor without the guards that :func:`guarded` adds. A processor calls the receivers for a record.
    Raises :class:`ConfigurationError`.
    """
    observe(note_rejection, EventRejected)
    return Processor(
        group=group,
        registry=schemas,
        policies=RetryPolicies.of(settings.retry, retry_by_name()),
        dead_letters=dead_letters,
        short_topic=short_topic,
        skip_unknown_types=settings.unknown_event_types == "skip",
        decoded_bytes=settings.decoded_bytes,
        connection_max_age=settings.connection_max_age,
        is_child_of_sender=settings.trace_context == "parent",
    )


def guarded(receiving: Processor, health: Health, at_end: ExitStack) -> Processor:
    """
    Return ``receiving`` with a worker's guards: circuits, pauses, and limits for dead letters and errors in a row.
    """
    circuits = CircuitPolicy(**settings.circuit)
    return attrs.evolve(
        receiving,
        gate=ReceiverGate(circuits, health=health, paused=_paused_receivers(at_end)),
        flood=DeadLetterLimit(settings.dead_letter_flood),
        error_limit=ErrorLimit(settings.consecutive_errors_limit),
        health=health,
    )


def _consumer(arguments: ConsumerArguments, topics: list[str], at_end: ExitStack) -> Consumer:
    options = consumer_options(arguments.group)
    health = Health(Obstacle.NO_ASSIGNMENT, silent_after=settings.revoke_timeout + _SILENCE)
    observe(health, ConnectionChanged)
    time = arguments.milliseconds()
    schemas = at_end.enter_context(closing(registry()))
    unguarded = processor(arguments.group, _store(arguments.group, at_end), schemas)
    receiving = guarded(unguarded, health, at_end)
    scheduler = Scheduler(receiving.process, lanes=arguments.lanes())
    replays = _replays(unguarded, scheduler, at_end)
    consumer = Consumer(
        group=arguments.group,
        connect=lambda listener: ConsumerClient(options, topics, listener),
        scheduler=scheduler,
        error_limit=receiving.error_limit,
        limits=_limits(),
        health=health,
        offset_time=time,
        replays=replays,
        flush=shutdown.flush,
    )
    scheduler.start()
    slow = SlowReceivers(scheduler.lanes, settings.slow_receiver, health)
    slow.start()
    at_end.callback(slow.stop)
    refused = _refused_topics(options, health, at_end)
    states = ConsumerStates(
        group=arguments.group,
        topics=tuple(topics),
        window_records=settings.window_records,
        consumer=consumer,
        scheduler=scheduler,
        gate=receiving.gate,
        health=health,
        slow=lambda: slow.slow,
        refused=lambda: refused.topics,
        replaying=lambda: replays.replaying if replays else None,
    )
    at_end.enter_context(running.consumer(states))
    return consumer


def _refused_topics(options: dict[str, Any], health: Health, at_end: ExitStack) -> RefusedTopics:
    def rights(topics: Collection[str]) -> Rights:
        return ClusterOverview(options).topic_rights(topics, timeout=_RIGHTS_WITHIN)

    refused = RefusedTopics(rights, health)
    observe(refused, ClientErrorReported)
    at_end.callback(unobserve, refused)
    refused.start()
    at_end.callback(refused.stop)
    return refused


def _relay(at_end: ExitStack) -> Steps:
    if not apps.is_installed(_APP):
        raise ConfigurationError("A relay needs 'event_bus_kafka' in INSTALLED_APPS.")
    relaying = import_module("event_bus_kafka.assembly.relaying")  # imports models: only if the app is installed
    relay: Steps = relaying.relay_steps(DEFAULT_DB_ALIAS, at_end)
    return relay


def _replays(receiving: Processor, scheduler: Scheduler, at_end: ExitStack) -> Any:
    if not apps.is_installed(_APP):
        return None
    return import_module("event_bus_kafka.assembly.replaying").request_runner(receiving, scheduler, at_end)


def _store(group: str, at_end: ExitStack) -> Store:
    store = store_for(group)
    keep_clean(store, at_end)
    return store


def _paused_receivers(at_end: ExitStack) -> Callable[[], frozenset[str]]:
    if not apps.is_installed(_APP):
        return frozenset
    pauses = import_string("event_bus_kafka.dispatching.pauses.read_now")()
    first = pauses.read_every
    periodically(at_end, lambda: pauses.read_every, "Paused receivers were not read", pauses.read, first_in=first)
    names: Callable[[], frozenset[str]] = pauses
    return names


def _limits() -> Limits:
    return Limits(
        window_records=settings.window_records,
        window_bytes=settings.window_bytes,
        commit_interval=settings.commit_interval,
        poll_timeout=settings.consumer_poll_timeout,
        failure_sleep=settings.consumer_poll_failure_sleep,
        revoke_timeout=settings.revoke_timeout,
    )
