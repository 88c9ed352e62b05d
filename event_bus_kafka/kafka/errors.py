"""From confluent-kafka's errors to ours."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from event_bus_kafka.errors import AssignmentLost, BrokerError

_LOST = frozenset({"_STATE", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID", "STALE_MEMBER_EPOCH"})
"""Codes of a commit that say: the partitions are somebody else's by now."""

_FINAL = frozenset(
    {
        "MSG_SIZE_TOO_LARGE",
        "TOPIC_EXCEPTION",
        "INVALID_RECORD",
        "INVALID_TIMESTAMP",
        "POLICY_VIOLATION",
        "_INVALID_ARG",
    }
)
"""Codes that no repetition cures. KafkaError.retriable() is no help: it is False for every code that was tried."""


def understood(error: KafkaError | KafkaException, kind: type[BrokerError] = BrokerError) -> BrokerError:
    """Return a client error as ``kind``; the reason is Kafka's text, which names servers and topics only."""
    inner: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    if not isinstance(inner, KafkaError):
        return kind("_FAIL", str(inner))
    code = inner.name() or str(inner.code())
    fatal = bool(inner.fatal()) or code == "_FATAL"  # what a client answers once it has had a fatal error
    return kind(code, inner.str(), retriable=code not in _FINAL and not fatal, fatal=fatal)


def understood_commit(error: KafkaError | KafkaException) -> BrokerError:
    """Return a commit's error, :class:`AssignmentLost` where the partitions are gone."""
    failure = understood(error)
    return understood(error, AssignmentLost) if failure.code in _LOST else failure
