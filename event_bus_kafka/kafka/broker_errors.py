"""Converts confluent-kafka's errors to :class:`BrokerError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.error_codes import meaning_of
from event_bus_kafka.trouble import Trouble

_TROUBLE_BY_TEXT = {
    KafkaError(getattr(KafkaError, row.code)).str(): row.trouble
    for row in error_codes.TABLE
    if row.trouble is not Trouble.OTHER and not row.code.startswith("_") and hasattr(KafkaError, row.code)
}
"""Kafka's text for an error → the kind of trouble. Needed because a fatal error names its cause only in its text."""


def to_broker_error(error: KafkaError | KafkaException, kind: type[BrokerError] = BrokerError) -> BrokerError:
    """
    Convert a client's error to an error of class ``kind``. The reason of the new error is Kafka's text, which contains
    names of servers and topics, but no event data.
    """
    inner: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    if not isinstance(inner, KafkaError):
        return kind(error_codes.FAIL, str(inner))
    code = inner.name() or str(inner.code())
    meaning = meaning_of(code)
    fatal = bool(inner.fatal()) or meaning.fatal
    trouble = meaning.trouble if code != error_codes.FATAL else _cause(inner.str())
    return kind(code, inner.str(), retriable=not (meaning.final or fatal), fatal=fatal, kind=trouble)


def to_commit_error(error: KafkaError | KafkaException) -> BrokerError:
    """
    Convert the error of a commit. If the partitions no longer belong to this member, return an :class:`AssignmentLost`.
    """
    failure = to_broker_error(error)
    return to_broker_error(error, AssignmentLost) if meaning_of(failure.code).assignment_lost else failure


@contextmanager
def as_broker_errors(client: Any = None) -> Iterator[None]:
    """
    Raise the client's errors as :class:`BrokerError`. After an error, poll ``client`` once, because a poll calls the
    client's error callback. If a request finds no connection, only this callback gets the cause.
    """
    try:
        yield
    except KafkaException as error:
        if client is not None:
            client.poll(0)
        raise to_broker_error(error) from error


def no_answer(timeout: float) -> BrokerError:
    """Return the error for brokers that did not answer within ``timeout`` seconds."""
    return BrokerError(error_codes.TIMED_OUT, f"Kafka did not answer within {timeout:g} s", retriable=True)


def _cause(reason: str) -> Trouble:
    return next((trouble for text, trouble in _TROUBLE_BY_TEXT.items() if text in reason), Trouble.OTHER)
