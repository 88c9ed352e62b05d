"""
What the settings EVENT_BUS_PRODUCER and EVENT_BUS_CONSUMER point to.

openedx-events turns whatever these raise into a warning and an object that does nothing, so neither raises: what is
wrong is said by the system checks, by an error at each use, and by the exit code of the worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from importlib import import_module
from typing import Any

import attrs
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.utils.module_loading import import_string
from openedx_events.event_bus import EventBusConsumer

from event_bus_kafka.conf.client_options import consumer_options, schema_registry_options
from event_bus_kafka.conf.routes import full_topic, retry_by_name
from event_bus_kafka.conf.settings import LANES, settings
from event_bus_kafka.consuming.consumer import Consumer
from event_bus_kafka.consuming.dead_letter_limit import DeadLetterLimit
from event_bus_kafka.consuming.error_limit import ErrorLimit
from event_bus_kafka.consuming.limits import Limits
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.consuming.starting_offsets import milliseconds
from event_bus_kafka.dead_letters.letter import Store
from event_bus_kafka.dead_letters.stores import keep_clean, store_for
from event_bus_kafka.dispatching.circuit import CircuitPolicy
from event_bus_kafka.dispatching.receiver_gate import ReceiverGate
from event_bus_kafka.dispatching.retry import RetryPolicies
from event_bus_kafka.errors import ConfigurationError, EventBusError
from event_bus_kafka.kafka import client as kafka
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.producing.shutdown import flush
from event_bus_kafka.telemetry import observe
from event_bus_kafka.telemetry.health import Health, Obstacle
from event_bus_kafka.telemetry.logs import LoggingObserver
from event_bus_kafka.telemetry.monitoring import MONITORED, monitor
from event_bus_kafka.worker.companion import WithCompanion
from event_bus_kafka.worker.worker import Steps, Worker

logger = logging.getLogger(__name__)

_log = LoggingObserver(audit=lambda: settings.audit_logging_enabled)

CONFIGURATION_EXIT_CODE = 1
_SILENCE = 30.0
"""Seconds beyond the longest step after which a worker is taken for dead."""


def create_producer() -> KafkaEventProducer:
    """Return a producer. Never raises; connects at the first send."""
    observe_events()
    return KafkaEventProducer()


class KafkaEventConsumer(EventBusConsumer):
    """
    A worker for a topic (without prefix), or several, in one consumer group.

    ``offset_time``: a time in ISO 8601; each partition begins at its first record from then on, once for each value.
    ``concurrency``: receivers that run at once, by default ``EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY``. ``with_relay``:
    send what the outbox of the default database holds too. ``unknown`` keyword arguments are accepted with a warning:
    deployments pass options of other event buses. Never raises; what is wrong shows in :meth:`consume_indefinitely`.
    """

    def __init__(
        self,
        topic: str | Sequence[str],
        group_id: str,
        offset_time: Any = None,
        concurrency: Any = None,
        with_relay: bool = False,
        **unknown: Any,
    ) -> None:
        observe_events()
        self.topic = topic
        self.group_id = group_id
        self._offset_time = offset_time
        self._concurrency = concurrency
        self._with_relay = with_relay
        if unknown:
            logger.warning("KafkaEventConsumer ignores the options %s", ", ".join(sorted(unknown)))

    def consume_indefinitely(self) -> None:
        """
        Consume until SIGTERM or SIGINT.

        Raises SystemExit with the worker's exit code unless it is 0: openedx-events' command would swallow anything
        else.
        """
        exit_code = self._run()
        if exit_code:
            raise SystemExit(exit_code)

    def _run(self) -> int:
        with ExitStack() as at_end:
            try:
                if not settings.consumers_enabled:
                    logger.error("Kafka consumers not enabled, exiting.")
                    return 0
                worker = self._worker(at_end)
            except EventBusError as error:
                logger.error("Cannot consume events: %s", error)
                return CONFIGURATION_EXIT_CODE
            return worker.run()

    def _worker(self, at_end: ExitStack) -> Worker:
        relay = _relay() if self._with_relay else None
        consumer = self._consumer(at_end)
        return Worker(
            consumer if relay is None else WithCompanion(consumer, relay),
            name=f"consumer of {_named(self._topics())} in group {self.group_id}",
            stop_timeout=settings.stop_timeout,
        )

    def _consumer(self, at_end: ExitStack) -> Consumer:
        if not self.topic or not self.group_id:
            raise ConfigurationError("A worker needs a topic and a consumer group.")
        options, topics = consumer_options(self.group_id), self._topics()
        health = Health(Obstacle.NO_ASSIGNMENT, silent_after=settings.revoke_timeout + _SILENCE)
        observe(health)
        time = self._time()
        schemas = at_end.enter_context(closing(registry()))
        receiving = _guarded(processor(self.group_id, self._store(), schemas), health)
        scheduler = Scheduler(receiving.process, lanes=self._lanes())
        consumer = Consumer(
            group=self.group_id,
            connect=lambda listener: kafka.Consumer(options, topics, listener, begin_paused=time is not None),
            scheduler=scheduler,
            error_limit=receiving.error_limit,
            limits=_limits(),
            health=health,
            offset_time=time,
            flush=flush,
        )
        scheduler.start()
        return consumer

    def _time(self) -> int | None:
        try:
            return milliseconds(self._offset_time) if self._offset_time else None
        except ValueError as error:
            raise ConfigurationError(f"offset_time: {error}.") from None

    def _topics(self) -> list[str]:
        return [full_topic(topic) for topic in ([self.topic] if isinstance(self.topic, str) else self.topic)]

    def _store(self) -> Store:
        store = store_for(self.group_id)
        keep_clean(store, settings.retention)
        return store

    def _lanes(self) -> int:
        if self._concurrency is None:
            return settings.consumer_concurrency
        try:
            return LANES.read(self._concurrency)
        except ValueError:
            raise ConfigurationError(f"concurrency must be {LANES.expects}, not {self._concurrency!r}.") from None


def _relay() -> Steps:
    if not apps.is_installed("event_bus_kafka"):
        raise ConfigurationError("A relay needs 'event_bus_kafka' in INSTALLED_APPS.")
    relays = import_module("event_bus_kafka.relaying.progress")  # has models: only where the app is installed
    relay: Steps = relays.relay_worker(DEFAULT_DB_ALIAS)
    return relay


def processor(group: str, dead_letters: Store, schemas: SchemaRegistry) -> Processor:
    """Return what runs receivers, as the settings say. Raises :class:`ConfigurationError`."""
    return Processor(
        group=group,
        registry=schemas,
        policies=RetryPolicies.of(settings.retry, retry_by_name()),
        dead_letters=dead_letters,
        skip_unknown_types=settings.unknown_event_types == "skip",
        connection_max_age=settings.connection_max_age,
    )


def _guarded(receiving: Processor, health: Health) -> Processor:
    """Add what protects a worker from itself: circuits, pauses, the flood guard, the limit of errors in a row."""
    circuits = CircuitPolicy(**settings.circuit)
    return attrs.evolve(
        receiving,
        gate=ReceiverGate(circuits, health=health, paused=_paused_receivers()),
        flood=DeadLetterLimit(settings.dead_letter_flood),
        error_limit=ErrorLimit(settings.consecutive_errors_limit),
        health=health,
    )


def _paused_receivers() -> Callable[[], frozenset[str]]:
    if not apps.is_installed("event_bus_kafka"):
        return frozenset
    watched: Callable[[], frozenset[str]] = import_string("event_bus_kafka.dispatching.pauses.watched")()
    return watched


def registry() -> SchemaRegistry:
    """Return the registry of the settings. Raises :class:`ConfigurationError`."""
    return SchemaRegistry(
        schema_registry_options(), timeout=settings.registry_timeout, register=settings.auto_register_schemas
    )


def _limits() -> Limits:
    return Limits(
        window_records=settings.window_records,
        window_bytes=settings.window_bytes,
        commit_interval=settings.commit_interval,
        poll_timeout=settings.consumer_poll_timeout,
        failure_sleep=settings.consumer_poll_failure_sleep,
        revoke_timeout=settings.revoke_timeout,
    )


def _named(topics: list[str]) -> str:
    return f"topic{'s' * (len(topics) > 1)} {', '.join(topics)}"


def observe_events() -> None:
    """Log and trace what happens in this process."""
    observe(_log)
    observe(monitor, *MONITORED)
