"""Makes clients of confluent-kafka, checks the clients' options, and emits the clients' errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

from event_bus_kafka.errors import BrokerError, ConfigurationError
from event_bus_kafka.kafka.broker_errors import to_broker_error
from event_bus_kafka.shown import logger_named
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import ClientErrorReported
from event_bus_kafka.telemetry.guards import guarded, watched
from event_bus_kafka.trouble import Trouble

Options = dict[str, Any]
"""Options of librdkafka, by name."""
CLIENT_VERSIONS = (str(confluent_kafka.__version__), str(confluent_kafka.libversion()[0]))
"""The versions of confluent-kafka and librdkafka."""
_FILES = (
    "https.ca.location",
    "sasl.kerberos.keytab",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.crl.location",
    "ssl.engine.location",
    "ssl.key.location",
    "ssl.keystore.location",
)
"""Options that name a file; some of them may name a folder."""
_OPENED_AT_ONCE = frozenset(name for name in _FILES if name.endswith(".location"))
_NOT_CHECKED = _OPENED_AT_ONCE | {"bootstrap.servers", "metadata.broker.list", "plugin.library.paths"}
_TOKEN_ENDPOINT, _NOWHERE = "sasl.oauthbearer.token.endpoint.url", "http://127.0.0.1:9"
_TOKEN = "oauth_cb"
_FOUND_BY_ITSELF = "probe"
"""A value that may replace the path of a certificate: librdkafka then searches the usual paths of operating systems."""


class _LibrdkafkaLog:
    """
    Writes librdkafka's own log at level DEBUG, because librdkafka repeats lines at each retry. Important errors also
    come through the error callback, and are logged once.
    """

    _logger = logger_named("event_bus_kafka.librdkafka")

    def log(self, _level: int, text: str, *arguments: object) -> None:
        self._logger.debug(text, *arguments)


def make_client(
    client: Callable[..., Any],
    options: Options,
    name: str,
    on_error: Callable[[BrokerError], None] = lambda failure: None,
    **own: Callable[..., None],
) -> Any:
    """
    Make a client that emits its errors as ClientErrorReported under ``name``. An exception in a callback from
    ``options`` never ends a poll.

    ``on_error``: called with each of these errors. ``own``: option → further callback; if ``options`` contain a
    callback of the same name, both are called.

    Raises :class:`ConfigurationError` if the client refuses its options. The client calls ``oauth_cb`` at once. Raises
    :class:`BrokerError` if ``oauth_cb`` returns no token within 10 s.
    """

    def report(error: KafkaError) -> None:
        on_error(report_error(name, error))

    own["error_cb"] = report
    callbacks = {option for option, value in options.items() if callable(value)} | own.keys() - options.keys()
    safe = {
        option: guarded(option, *(found[option] for found in (own, options) if option in found)) for option in callbacks
    }
    if callable(token := options.get(_TOKEN)):
        safe[_TOKEN] = watched(_TOKEN, token)  # its exception makes the client ask again
    return _make(client, {"log_level": 3} | options | safe, name)


def check_options(name: str, options: Options) -> None:
    """
    Raise :class:`ConfigurationError` if librdkafka's ``producer`` or ``consumer`` refuses the options, singly or in
    combination.

    Contacts no server, calls no callback and opens no file: see :func:`missing_files` for files.
    """
    client = {"producer": confluent_kafka.Producer, "consumer": confluent_kafka.Consumer}[name]
    plain = {key: value for key, value in options.items() if key not in _NOT_CHECKED and not callable(value)}
    if _TOKEN_ENDPOINT in plain:
        plain[_TOKEN_ENDPOINT] = _NOWHERE  # a client asks for its token as soon as it is made
    _make(client, {"log_level": 0} | plain, name)


def missing_files(options: Options) -> dict[str, str]:
    """Return option → path, for options whose file or folder does not exist."""
    paths = {name: str(options[name]) for name in _FILES if options.get(name)}
    return {name: path for name, path in paths.items() if path != _FOUND_BY_ITSELF and not Path(path).exists()}


def _make(client: Callable[..., Any], options: Options, name: str) -> Any:
    try:
        return client(options, logger=_LibrdkafkaLog())
    except (KafkaException, TypeError, ValueError) as error:
        failure = to_broker_error(error) if isinstance(error, KafkaException) else None
        if failure is not None and failure.kind is Trouble.UNAUTHENTICATED:
            raise failure from error
        reason = str(error) if failure is None else failure.reason
        raise ConfigurationError(
            f"The Kafka {name} refuses its options: {reason}. Check EVENT_BUS_KAFKA_CLIENT_OPTIONS, "
            f"EVENT_BUS_KAFKA_PRODUCER_OPTIONS and EVENT_BUS_KAFKA_CONSUMER_OPTIONS."
        ) from error


def report_error(client: str, error: KafkaError, topic: str = "") -> BrokerError:
    """
    Emit an error that ``client`` reported, and return it as :class:`BrokerError`. ``topic``: the topic that the error
    is about.
    """
    failure = to_broker_error(error)
    emit_error(client, failure, topic)
    return failure


def emit_error(client: str, failure: BrokerError, topic: str = "") -> None:
    emit(
        ClientErrorReported(
            client=client, error=failure, code=failure.code, kind=failure.kind, fatal=failure.fatal, topic=topic
        )
    )
