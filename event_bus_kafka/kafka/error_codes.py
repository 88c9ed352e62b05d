"""From confluent-kafka's errors to ours."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.trouble import Trouble

_UNTOLD = "_FATAL"
"""Code of a fatal error that has its cause in its text, or leaves it to another error."""
_FATAL = frozenset({_UNTOLD, "FENCED_INSTANCE_ID"})
"""Codes that end the client even where they lack the mark, as in answers to commits and in place of a record."""
_LOST = frozenset({*_FATAL, "_STATE", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_MEMBER_EPOCH"})
"""
Codes of a commit that say: the partitions are somebody else's by now. STALE_MEMBER_EPOCH is none of them: the member
has to hear of its new epoch first, and commits again.
"""

_KINDS = {
    "_ALL_BROKERS_DOWN": Trouble.UNREACHABLE,
    "_TRANSPORT": Trouble.UNREACHABLE,
    "_RESOLVE": Trouble.UNREACHABLE,
    "_TIMED_OUT": Trouble.UNREACHABLE,
    "_MSG_TIMED_OUT": Trouble.UNREACHABLE,
    "_WAIT_COORD": Trouble.UNREACHABLE,
    "REQUEST_TIMED_OUT": Trouble.UNREACHABLE,
    "_AUTHENTICATION": Trouble.UNAUTHENTICATED,
    "_SSL": Trouble.UNAUTHENTICATED,
    "SASL_AUTHENTICATION_FAILED": Trouble.UNAUTHENTICATED,
    "TOPIC_AUTHORIZATION_FAILED": Trouble.FORBIDDEN,
    "GROUP_AUTHORIZATION_FAILED": Trouble.FORBIDDEN,
    "CLUSTER_AUTHORIZATION_FAILED": Trouble.FORBIDDEN,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": Trouble.FORBIDDEN,
    "UNKNOWN_TOPIC_OR_PART": Trouble.MISSING,
    "_UNKNOWN_TOPIC": Trouble.MISSING,
    "_UNKNOWN_PARTITION": Trouble.MISSING,
    "UNKNOWN_TOPIC_ID": Trouble.MISSING,
    "FENCED_INSTANCE_ID": Trouble.REPLACED,
    "UNRELEASED_INSTANCE_ID": Trouble.REPLACED,
    "REBALANCE_IN_PROGRESS": Trouble.MOVING,
    "STALE_MEMBER_EPOCH": Trouble.MOVING,
    "NOT_COORDINATOR": Trouble.MOVING,
    "COORDINATOR_NOT_AVAILABLE": Trouble.MOVING,
    "COORDINATOR_LOAD_IN_PROGRESS": Trouble.MOVING,
    "NOT_LEADER_FOR_PARTITION": Trouble.MOVING,
    "LEADER_NOT_AVAILABLE": Trouble.MOVING,
    "NOT_ENOUGH_REPLICAS": Trouble.MOVING,
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": Trouble.MOVING,
}
_CAUSES = {KafkaError(getattr(KafkaError, code)).str(): kind for code, kind in _KINDS.items() if code[0] != "_"}
"""Kafka's text of an error → its kind: a fatal error tells its cause in words only."""

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
    fatal = bool(inner.fatal()) or code in _FATAL
    retriable = code not in _FINAL and not fatal
    return kind(code, inner.str(), retriable=retriable, fatal=fatal, kind=_kind_of(code, inner.str()))


def understood_commit(error: KafkaError | KafkaException) -> BrokerError:
    """Return a commit's error, :class:`AssignmentLost` where the partitions are gone."""
    failure = understood(error)
    return understood(error, AssignmentLost) if failure.code in _LOST else failure


def _kind_of(code: str, reason: str) -> Trouble:
    if code != _UNTOLD:
        return _KINDS.get(code, Trouble.OTHER)
    return next((kind for text, kind in _CAUSES.items() if text in reason), Trouble.OTHER)
