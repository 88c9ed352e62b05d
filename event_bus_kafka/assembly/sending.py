"""Assembles sending: one spill and one shutdown for the process, and producers that share them."""

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
"""Seconds for which a registry that failed is left alone, so that requests do not wait for it one after the other."""

outbox = Outbox(notify=lambda: settings.relay_notify)
spill = Spill(outbox)
shutdown = Shutdown(settings, spill, begin=begin, finish=housekeeper.finish)
running.spill = spill.waiting
_routing = Routing(full_topic=full_topic, mode_of=mode_of, route_of=route_of)


def producer() -> KafkaEventProducer:
    """Return a producer. It reads the settings at each send, and never raises."""
    return KafkaEventProducer(
        routing=_routing, limits=settings, connect=process_clients, outbox=outbox, spill=spill, shutdown=shutdown
    )


def process_clients(former: ProcessClients | None = None) -> ProcessClients:
    """
    Return this process's clients, started. Raises :class:`ConfigurationError`; without a token :class:`BrokerError`.

    ``former``: the clients that these replace, whose registry client already knows the ids.
    """
    timeout = min(settings.registry_timeout, settings.send_timeout / 2)  # a first event needs two ids
    clients = ProcessClients(
        registry=former.registry if former else registry(timeout=timeout, backoff=_REGISTRY_BACKOFF),
        producer=Producer(producer_options()),
        poll_interval=settings.poll_interval,
        spill=spill,
    )
    return clients.started()


def tell_if_forgotten() -> None:
    """Log, once per worker, that topics are enabled and nothing sends: openedx-events says nothing of it."""
    if topics := forgotten_topics():
        logger.warning(
            "EVENT_BUS_PRODUCER_CONFIG enables %s, but EVENT_BUS_PRODUCER is not set: its events go nowhere",
            ", ".join(topics),
        )
