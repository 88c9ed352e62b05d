"""
The Kafka event bus of Open edX.

    EVENT_BUS_PRODUCER = "event_bus_kafka.create_producer"
    EVENT_BUS_CONSUMER = "event_bus_kafka.KafkaEventConsumer"
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_bus_kafka.dispatching.inbox import once
    from event_bus_kafka.dispatching.replay_context import is_replay
    from event_bus_kafka.entry_points import KafkaEventConsumer, create_producer
    from event_bus_kafka.producing.backfill import RowsByPk, backfill_source
    from event_bus_kafka.producing.tombstones import send_tombstone
    from event_bus_kafka.wire.deletion import record_deleted

__version__ = "0.1.0"
_MODULES = {
    "KafkaEventConsumer": "entry_points",
    "RowsByPk": "producing.backfill",
    "backfill_source": "producing.backfill",
    "create_producer": "entry_points",
    "is_replay": "dispatching.replay_context",
    "once": "dispatching.inbox",
    "record_deleted": "wire.deletion",
    "send_tombstone": "producing.tombstones",
}
__all__ = [
    "KafkaEventConsumer",
    "RowsByPk",
    "__version__",
    "backfill_source",
    "create_producer",
    "is_replay",
    "once",
    "record_deleted",
    "send_tombstone",
]


def __getattr__(name: str) -> Any:
    """
    Import the attribute ``name`` at its first use, because settings modules and setup tools may import this package
    before Django is ready. If ``KafkaEventConsumer`` cannot be imported, return a consumer that logs the error and
    exits with code 1.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except Exception as error:
        if name == "KafkaEventConsumer":
            return import_module(f"{__name__}.unusable").unusable_consumer(error)
        raise
