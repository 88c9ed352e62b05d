"""Converts confluent-kafka's messages and statistics to classes of this package."""

from __future__ import annotations

import json
from operator import methodcaller
from typing import Any

import confluent_kafka

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.factory import emit_error
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ProducerStatistics
from event_bus_kafka.wire.records import ConsumerRecord, Headers, HeadersByName


def to_record(message: Any) -> ConsumerRecord:
    """Convert a message of confluent-kafka to a :class:`ConsumerRecord`."""
    kind, timestamp = message.timestamp()
    return ConsumerRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        timestamp if kind != confluent_kafka.TIMESTAMP_NOT_AVAILABLE else None,
        message.key(),
        message.value(),
        _headers(message),
    )


def headers_for_client(headers: Headers | HeadersByName) -> HeadersByName | list[tuple[str, bytes | None]]:
    """
    Return the headers as a dict, or as a list if a name occurs twice. A dict is preferred, because the client processes
    a dict twice as fast as a list.
    """
    if isinstance(headers, dict):
        return headers
    by_name = dict(headers)
    return by_name if len(by_name) == len(headers) else list(headers)


def emit_statistics(text: str) -> None:
    """Emit ProducerStatistics with the numbers in ``text``, the JSON of librdkafka's statistics."""
    found = json.loads(text)
    states = [broker["state"] for broker in found["brokers"].values() if broker["nodeid"] >= 0]
    emit(
        ProducerStatistics(
            queued=found["msg_cnt"],
            queued_bytes=found["msg_size"],
            sent=found["txmsgs"],
            brokers=len(states),
            brokers_up=states.count("UP"),
        )
    )


_call_headers = methodcaller("headers")
"""
Calls ``Message.headers`` so that Python raises its exception at once.

For a header whose name is not UTF-8, ``Message.headers`` returns a value and also sets an exception. A direct call that
Python has optimized does not notice the exception; a later, unrelated call would raise it.
"""


def _headers(message: Any) -> Headers:
    try:
        return tuple(_call_headers(message) or ())
    except (SystemError, UnicodeDecodeError):
        # confluent-kafka cannot return headers if a name is not UTF-8; clients in other languages send such headers.
        # Raising here would lose the other records of the poll: so this record has no headers and no event type.
        where = f"{message.topic()}:{message.partition()}:{message.offset()}"
        emit_error(
            "consumer", BrokerError(error_codes.BAD_MSG, f"the headers of {where} have names that are not UTF-8")
        )
        return ()
