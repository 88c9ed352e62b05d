"""
The producer and the consumer that the settings EVENT_BUS_PRODUCER and EVENT_BUS_CONSUMER name.

If the constructor of a producer or consumer raises, openedx-events only warns, and uses an object that does nothing. So
neither constructor raises. Instead, mistakes are reported by the system checks, by an error at each use, and by the
worker's exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from openedx_events.event_bus import EventBusConsumer

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.sending import producer
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import EventBusError
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.shown import logger_named

if TYPE_CHECKING:
    from event_bus_kafka.worker.worker import Worker

logger = logger_named(__name__)

CONFIGURATION_EXIT_CODE = 1


def create_producer() -> KafkaEventProducer:
    """Return a producer, which connects at the first send. This function never raises."""
    observe_events()
    return producer()


class KafkaEventConsumer(EventBusConsumer):
    """
    A worker that consumes a topic (without prefix), or several, in one consumer group.

    ``offset_time``: a time in ISO 8601. Each partition starts at its first record at or after this time; a restart with
    the same value changes nothing. ``concurrency``: maximum number of receivers that run at once, by default
    ``EVENT_BUS_KAFKA_CONSUMER_CONCURRENCY``. ``with_relay``: also relay the outbox of the default database.
    ``health_port``: the port that serves health and metrics, by default ``EVENT_BUS_KAFKA_HEALTH_PORT``; 0: no port.
    Unknown keyword arguments are logged and ignored, since deployments pass options of other event buses.

    The constructor never raises; :meth:`consume_indefinitely` reports wrong arguments.
    """

    def __init__(
        self,
        topic: str | Sequence[str],
        group_id: str,
        offset_time: Any = None,
        concurrency: Any = None,
        with_relay: bool = False,
        health_port: Any = None,
        **unknown: Any,
    ) -> None:
        observe_events()
        self.topic = topic
        self.group_id = group_id
        self._offset_time = offset_time
        self._concurrency = concurrency
        self._with_relay = with_relay
        self._health_port = health_port
        if unknown:
            logger.warning("KafkaEventConsumer ignores the options %s", ", ".join(sorted(unknown)))

    def consume_indefinitely(self) -> None:
        """
        Consume until SIGTERM or SIGINT, or until the worker fails. Return at once if consumers are not enabled.

        Raises SystemExit with the worker's exit code, unless the code is 0. The command of openedx-events would swallow
        any other exception.
        """
        exit_code = self._run()
        if exit_code:
            raise SystemExit(exit_code)

    def _run(self) -> int:
        try:
            with ExitStack() as at_end:
                if not settings.consumers_enabled:
                    logger.error("Kafka consumers not enabled, exiting.")
                    return 0
                return self._worker(at_end).run()
        except EventBusError as error:
            logger.error("Cannot consume events: %s", error)
        except (Exception, SystemExit):  # raised by the service's settings, routers, stores or drivers
            logger.exception("Cannot consume events")
        return CONFIGURATION_EXIT_CODE

    def _worker(self, at_end: ExitStack) -> Worker:
        # Imported here: these modules are a fifth of all that a worker loads, and a service that only sends needs none.
        from event_bus_kafka.assembly.consuming import ConsumerArguments, consumer_worker

        arguments = ConsumerArguments(
            topic=self.topic,
            group=self.group_id,
            offset_time=self._offset_time,
            concurrency=self._concurrency,
            with_relay=self._with_relay,
            health_port=self._health_port,
        )
        return consumer_worker(arguments, at_end)
