"""Creates producers from the settings. All producers of a process share one spill and one shutdown."""

from __future__ import annotations

from event_bus_kafka.assembly.housekeeping import begin, housekeeper
from event_bus_kafka.assembly.schema_registry import registry
from event_bus_kafka.conf.client_options import producer_options
from event_bus_kafka.conf.routes import forgotten_topics, full_topic, mode_of, route_of
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.kafka.producer import Producer
from event_bus_kafka.outbox.availability import Outbox
from event_bus_kafka.producing.clients import ProcessClients
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.producing.routing import Routing
from event_bus_kafka.producing.shutdown import Shutdown
from event_bus_kafka.producing.spill import Spill
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry.state import running

logger = logger_named(__name__)

_REGISTRY_BACKOFF = 30.0
"""
Seconds for which the registry gets no request after a failure, so that not every web request waits for the registry.
"""

outbox = Outbox(notify=lambda: settings.relay_notify)
spill = Spill(outbox)
shutdown = Shutdown(settings, spill, begin=begin, finish=housekeeper.finish)
running.spill = spill.waiting
_routing = Routing(full_topic=full_topic, mode_of=mode_of, route_of=route_of)


def producer() -> KafkaEventProducer:
    """Return a producer, which reads the settings at each send. This function never raises."""
    return KafkaEventProducer(
        routing=_routing, limits=settings, connect=process_clients, outbox=outbox, spill=spill, shutdown=shutdown
    )


def process_clients(former: ProcessClients | None = None) -> ProcessClients:
    """
    Start this process's clients and return them. Raises :class:`ConfigurationError`, or :class:`BrokerError` if the
    client receives no OAuth token.

    ``former``: the clients that the new clients replace. The new clients use the registry client of ``former``, because
    that registry client already knows schema ids.
    """
    timeout = min(settings.registry_timeout, settings.send_timeout / 2)  # the first event needs the ids of two schemas
    clients = ProcessClients(
        registry=former.registry if former else registry(timeout=timeout, backoff=_REGISTRY_BACKOFF),
        producer=Producer(producer_options()),
        poll_interval=settings.poll_interval,
        spill=spill,
    )
    return clients.started()


def tell_if_forgotten() -> None:
    """
    Log a warning if topics are enabled, but no producer is configured. openedx-events does not report this mistake.
    """
    if topics := forgotten_topics():
        logger.warning(
            "EVENT_BUS_PRODUCER_CONFIG enables %s, but EVENT_BUS_PRODUCER is not set: no event is sent",
            ", ".join(topics),
        )
