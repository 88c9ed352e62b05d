"""What the classes of this room share: clients of confluent-kafka, their records, and the trouble they report."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

from event_bus_kafka.errors import BrokerError, ConfigurationError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import to_broker_error
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ClientErrorReported, ProducerStatistics
from event_bus_kafka.wire.records import ConsumerRecord, Headers

_MISSPELT = ("No such configuration property", "Invalid value for configuration property")


class _Librdkafka:
    """
    librdkafka's own log, for debugging only: it repeats itself at each retry. What matters comes through the error
    callback, and is logged once.
    """

    _logger = logging.getLogger("event_bus_kafka.librdkafka")

    def log(self, _level: int, text: str, *arguments: object) -> None:
        self._logger.debug(text, *arguments)


def built(
    client: Callable[..., Any],
    options: dict[str, Any],
    name: str,
    on_error: Callable[[BrokerError], None] = lambda failure: None,
) -> Any:
    """Make a client, which reports its trouble under a name. Raises :class:`ConfigurationError`."""

    def report(error: KafkaError) -> None:
        on_error(report_trouble(name, error))

    try:
        return client({"error_cb": report, "log_level": 3} | options, logger=_Librdkafka())
    except (KafkaException, TypeError, ValueError) as error:
        reason = to_broker_error(error).reason if isinstance(error, KafkaException) else str(error)
        raise _refusal(name, reason) from error


def check_spelling(name: str, options: dict[str, Any]) -> None:
    """
    Raise :class:`ConfigurationError` if librdkafka's ``producer`` or ``consumer`` does not know an option, or cannot
    take its value.

    Contacts nobody, and minds no certificate: those are not there yet where images are built.
    """
    client = {"producer": confluent_kafka.Producer, "consumer": confluent_kafka.Consumer}[name]
    plain = {key: value for key, value in options.items() if key != "bootstrap.servers" and not callable(value)}
    try:
        client({"log_level": 0} | plain, logger=_Librdkafka())
    except (KafkaException, TypeError, ValueError) as error:
        reason = to_broker_error(error).reason if isinstance(error, KafkaException) else str(error)
        if reason.startswith(_MISSPELT):
            raise _refusal(name, reason) from error


def _refusal(name: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The Kafka {name} refuses its options: {reason}. Check EVENT_BUS_KAFKA_CLIENT_OPTIONS, "
        f"EVENT_BUS_KAFKA_PRODUCER_OPTIONS and EVENT_BUS_KAFKA_CONSUMER_OPTIONS."
    )


def report_trouble(client: str, error: KafkaError) -> BrokerError:
    """Emit an error that a client reported, and return it."""
    failure = to_broker_error(error)
    _emit(client, failure)
    return failure


def tell_statistics(text: str) -> None:
    """Emit what a producer's statistics, in librdkafka's JSON, say about what waits and who is there."""
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


def to_record(message: Any) -> ConsumerRecord:
    """Return a message as our value."""
    kind, timestamp = message.timestamp()
    return ConsumerRecord(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp=timestamp if kind != confluent_kafka.TIMESTAMP_NOT_AVAILABLE else None,
        key=message.key(),
        value=message.value(),
        headers=_headers(message),
    )


_call_headers = methodcaller("headers")
"""
Where a header's name is not UTF-8, ``Message.headers`` returns a value and sets an exception too, which a direct call,
once Python has optimized it, does not notice: the exception would come out of some later call.
"""


def _headers(message: Any) -> Headers:
    try:
        return tuple(_call_headers(message) or ())
    except (SystemError, UnicodeDecodeError):
        # confluent-kafka cannot hand out headers of which a name is not UTF-8, which clients in other languages send.
        # Raising here would lose the other records of the poll: this one goes on, and has no event type.
        where = f"{message.topic()}:{message.partition()}:{message.offset()}"
        _emit("consumer", BrokerError(error_codes.BAD_MSG, f"the headers of {where} have names that are not UTF-8"))
        return ()


def _emit(client: str, failure: BrokerError) -> None:
    emit(ClientErrorReported(client=client, error=failure, code=failure.code, kind=failure.kind, fatal=failure.fatal))
