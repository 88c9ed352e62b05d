"""
The Kafka event bus of Open edX.

    EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
    EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_bus_kafka.event_bus import KafkaEventConsumer, create_producer

__version__ = "0.1.0"
__all__ = ["KafkaEventConsumer", "__version__", "create_producer"]


def __getattr__(name: str) -> Any:
    """Import on first use: settings modules and setup tools may import this package before Django is ready."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from event_bus_kafka import event_bus

    return getattr(event_bus, name)
