"""Makes clients of confluent-kafka, checks their options, and reports their errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

from event_bus_kafka.errors import BrokerError, ConfigurationError
from event_bus_kafka.kafka.broker_errors import to_broker_error
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ClientErrorReported

Options = dict[str, Any]
"""Options of librdkafka, by name."""
_MISSPELT = ("No such configuration property", "Invalid value for configuration property")


class _LibrdkafkaLog:
    """
    Writes librdkafka's own log at level DEBUG: it repeats itself at each retry. Errors that matter come through the
    error callback, and are logged once.
    """

    _logger = logging.getLogger("event_bus_kafka.librdkafka")

    def log(self, _level: int, text: str, *arguments: object) -> None:
        self._logger.debug(text, *arguments)


def make_client(
    client: Callable[..., Any],
    options: Options,
    name: str,
    on_error: Callable[[BrokerError], None] = lambda failure: None,
) -> Any:
    """Make a client that reports its errors as ``name``'s. Raises :class:`ConfigurationError`."""

    def report(error: KafkaError) -> None:
        on_error(report_error(name, error))

    try:
        return client({"error_cb": report, "log_level": 3} | options, logger=_LibrdkafkaLog())
    except (KafkaException, TypeError, ValueError) as error:
        reason = to_broker_error(error).reason if isinstance(error, KafkaException) else str(error)
        raise _refusal(name, reason) from error


def check_spelling(name: str, options: Options) -> None:
    """
    Raise :class:`ConfigurationError` if librdkafka's ``producer`` or ``consumer`` does not know an option, or cannot
    take its value.

    Contacts nobody, and ignores missing certificates: those are not there yet where images are built.
    """
    client = {"producer": confluent_kafka.Producer, "consumer": confluent_kafka.Consumer}[name]
    plain = {key: value for key, value in options.items() if key != "bootstrap.servers" and not callable(value)}
    try:
        client({"log_level": 0} | plain, logger=_LibrdkafkaLog())
    except (KafkaException, TypeError, ValueError) as error:
        reason = to_broker_error(error).reason if isinstance(error, KafkaException) else str(error)
        if reason.startswith(_MISSPELT):
            raise _refusal(name, reason) from error


def report_error(client: str, error: KafkaError) -> BrokerError:
    """Emit an error that ``client`` reported, and return it as ours."""
    failure = to_broker_error(error)
    emit_error(client, failure)
    return failure


def emit_error(client: str, failure: BrokerError) -> None:
    emit(ClientErrorReported(client=client, error=failure, code=failure.code, kind=failure.kind, fatal=failure.fatal))


def _refusal(name: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The Kafka {name} refuses its options: {reason}. Check EVENT_BUS_KAFKA_CLIENT_OPTIONS, "
        f"EVENT_BUS_KAFKA_PRODUCER_OPTIONS and EVENT_BUS_KAFKA_CONSUMER_OPTIONS."
    )
