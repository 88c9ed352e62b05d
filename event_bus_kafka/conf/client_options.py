"""
Options of the Kafka and registry clients, derived from the settings. Every option that limits a wait is set here, and
not left to librdkafka's defaults.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import ConfigurationError

Options = dict[str, Any]

_SAFE_PRODUCER: Options = {"acks": "all", "enable.idempotence": True}
_SAFE_CONSUMER: Options = {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
_BOUNDS: Options = {
    "socket.timeout.ms": 10_000,  # closes the connection if a broker does not answer a request
    "socket.connection.setup.timeout.ms": 10_000,
    "socket.keepalive.enable": True,  # detects connections that the broker has closed
    "reconnect.backoff.max.ms": 2_000,  # reconnects to a broker within this time after its return
}
_CONSUMER_BOUNDS: Options = {
    "topic.metadata.refresh.interval.ms": 5_000,  # finds new topics and partitions within this time
}
_CLASSIC_BOUNDS: Options = {
    "session.timeout.ms": 45_000,  # a crashed member keeps its partitions for this time
    "heartbeat.interval.ms": 3_000,  # members learn about a rebalance within this time
}
_MARGIN = 30.0
"""
Seconds that are added to a worker's longest wait for receivers. By default, the group removes a member that has not
polled for the sum of these two durations, or for five minutes if the sum is less.
"""
_SYNONYMS = {"request.required.acks": "acks", "enable.auto.offset.store": "enable.auto.commit"}
_SPELLINGS = {"-1": "all", "true": True, "false": False, "smallest": "earliest", "beginning": "earliest"}


def producer_options(delivery_timeout: float | None = None) -> Options:
    """
    Return librdkafka's options for a producer. The producer is idempotent, and waits for the confirmation of all
    in-sync replicas, unless the settings allow unsafe options. ``delivery_timeout`` is in seconds, by default
    EVENT_BUS_KAFKA_DELIVERY_TIMEOUT. Raises :class:`ConfigurationError`.
    """
    own = (
        _SAFE_PRODUCER
        | _BOUNDS
        | {
            "message.timeout.ms": round((delivery_timeout or settings.delivery_timeout) * 1000),
            "linger.ms": 5,
            "queue.buffering.max.messages": 30_000,  # unconfirmed records; 80 MB of memory
            "queue.buffering.max.kbytes": 65_536,
            "partitioner": "consistent_random",  # librdkafka's default: another one would move keys to other partitions
        }
    )
    return _merged(own, settings.producer_options, _SAFE_PRODUCER)


def consumer_options(group_id: str) -> Options:
    """Return librdkafka's options of a consumer in group ``group_id``. Raises :class:`ConfigurationError`."""
    own = _SAFE_CONSUMER | {"group.id": group_id, "enable.auto.offset.store": False} | _BOUNDS | _CONSUMER_BOUNDS
    # Only the polling thread's own waits count for this interval; receivers run in other threads.
    longest_wait = max(settings.revoke_timeout, settings.stop_timeout) + _MARGIN
    own["max.poll.interval.ms"] = max(300_000, round(longest_wait * 1000))
    given = settings.client_options | settings.consumer_options
    if given.get("group.protocol") != "consumer":  # librdkafka refuses these options with this protocol
        own |= _CLASSIC_BOUNDS
    return _merged(own, settings.consumer_options, _SAFE_CONSUMER)


def schema_registry_options() -> Options:
    """Return the options of confluent-kafka's SchemaRegistryClient. Raises :class:`ConfigurationError`."""
    url = settings.schema_registry_url
    if not url:
        raise ConfigurationError("EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL is not set: give the URL of a schema registry.")
    options: Options = {"url": url, "timeout": settings.registry_timeout, "max.retries": 0}
    if settings.schema_registry_api_key or settings.schema_registry_api_secret:
        user, password = settings.schema_registry_api_key, settings.schema_registry_api_secret
        options["basic.auth.user.info"] = f"{user or ''}:{password or ''}"
    return _without_credentials_in_url(options | settings.schema_registry_options)


def service_name() -> str | None:
    """Return the name of this service from the settings that openedx-events reads; None if it is not set."""
    return settings.service_name or settings.service_variant


def _without_credentials_in_url(options: Options) -> Options:
    """Move user and password from the URL to a separate option, because logs and errors quote the URL."""
    parts = [_parsed(one.strip()) for one in str(options["url"]).split(",")]
    users = {part.netloc.rpartition("@")[0] for part in parts} - {""}
    if not users:
        return options
    if len(users) > 1 or "basic.auth.user.info" in options:
        raise ConfigurationError(
            "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL names a user, and so does another URL in it, or "
            "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY or _OPTIONS: remove one of the users."
        )
    user, _, password = users.pop().partition(":")
    url = ",".join(part._replace(netloc=part.netloc.rpartition("@")[2]).geturl() for part in parts)
    return options | {"url": url, "basic.auth.user.info": f"{unquote(user)}:{unquote(password)}"}


def _parsed(url: str) -> SplitResult:
    """Parse ``url``. Raises :class:`ConfigurationError` without quoting the URL."""
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port  # raises unless the port has only digits, for example if the host part contains a password
        if parts.scheme in ("http", "https") and "@" not in parts.path + parts.query + parts.fragment:
            return parts
    raise ConfigurationError(
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL must begin with http:// or https://. Special characters of a user and of "
        "a password in it must be percent-encoded."
    )


def _merged(own: Options, given: Options, safe: Options) -> Options:
    shared = settings.client_options
    _refuse_unsafe(shared | given, safe)
    return _connection() | own | shared | given


def _connection() -> Options:
    servers = settings.bootstrap_servers
    if not servers:
        raise ConfigurationError("EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set: give host:port of a Kafka broker.")
    options: Options = {"bootstrap.servers": servers}
    if settings.api_key and settings.api_secret:
        options |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": settings.api_key,
            "sasl.password": settings.api_secret,
        }
    if name := service_name():
        options["client.id"] = name
    return options


def _refuse_unsafe(given: Options, safe: Options) -> None:
    for name, value in given.items():
        wanted = safe.get(_SYNONYMS.get(name, name))
        spelled = _SPELLINGS.get(str(value).lower(), value)
        if wanted is not None and spelled != wanted and name not in settings.allow_unsafe_options:
            raise ConfigurationError(
                f"Option {name!r} with the value {value!r} may lose events: remove the option, or add its name to "
                "EVENT_BUS_KAFKA_ALLOW_UNSAFE_OPTIONS."
            )
