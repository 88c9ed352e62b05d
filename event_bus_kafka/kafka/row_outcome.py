"""
What becomes of a row that Kafka did not take, by the code of the error: ``KafkaError.retriable()`` is False for all.
"""

from __future__ import annotations

from enum import Enum

from event_bus_kafka.errors import BrokerError


class RowOutcome(Enum):
    """What a relay does."""

    PARK = "sets the row aside: no repetition would help"
    HOLD = "leaves the topic alone for a while: its rows wait, others go on"
    KEEP = "begins anew with a new client: the row comes again"


SIZE = "MSG_SIZE_TOO_LARGE"
_PARK = frozenset({SIZE, "TOPIC_EXCEPTION", "INVALID_RECORD", "INVALID_TIMESTAMP", "POLICY_VIOLATION"})
_HOLD = frozenset(
    {
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "UNKNOWN_TOPIC_OR_PART",
        "_UNKNOWN_TOPIC",
        "_UNKNOWN_PARTITION",
    }
)


def row_outcome(error: BrokerError) -> RowOutcome:
    """Return what to do about an error of ``produce`` or of a delivery report."""
    if error.code in _PARK:
        return RowOutcome.PARK
    return RowOutcome.HOLD if error.code in _HOLD else RowOutcome.KEEP
