"""Checks of settings, routes and workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage
from django.db import connections
from django.utils.module_loading import import_string
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.checks.catalogue import error_message, warning_message
from event_bus_kafka.conf.client_options import consumer_options, producer_options, schema_registry_options
from event_bus_kafka.conf.kinds import Setting, names_in_use
from event_bus_kafka.conf.routes import routes
from event_bus_kafka.conf.settings import DEAD_LETTER_STORES, SettingsTable, all_settings, settings
from event_bus_kafka.dispatching import dispatch, inbox
from event_bus_kafka.dispatching.retry import RetryPolicies
from event_bus_kafka.errors import ConfigurationError, SerializationError
from event_bus_kafka.kafka.factory import Options, check_options, missing_files
from event_bus_kafka.outbox.database import home
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.wire.codec import codec_for

_OURS = "event_bus_kafka"
_ENTRY_POINTS: dict[Setting[str | None], str] = {
    SettingsTable.producer: f"{_OURS}.create_producer",
    SettingsTable.consumer: f"{_OURS}.KafkaEventConsumer",
}


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """
    Check that each setting has an accepted value and a known name, and that dotted paths can be imported. Also check
    that each API key is set together with its API secret.
    """
    return [*_wrong_values(), *_unknown_names(), *_broken_paths(), *_half_credentials()]


def check_producer(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """
    If EVENT_BUS_PRODUCER names this package, check the routes, the clients' options and the databases of outboxes. Also
    check that events of all enabled types can be encoded.
    """
    if list(_wrong_values()) or not _points_here(SettingsTable.producer):
        return []
    try:
        configured = routes()
    except ConfigurationError as error:
        return [error_message("E006", str(error), None)]
    enabled = [route for route in configured if route.enabled]
    if enabled and not apps.is_installed("openedx_events"):
        hint = "Add 'openedx_events' to INSTALLED_APPS."
        return [error_message("E007", "The app openedx_events is not installed: no event is sent.", hint)]
    messages = [message for route in enabled for message in _check_route(route)]
    if enabled:
        messages += _refused("Producer", [_clients("producer", *_producers()), schema_registry_options])
        messages += _missing_files("Producer", producer_options)
    messages += [*_modes_without_topic(configured), *_outbox_databases(enabled)]
    return messages


def check_consumer(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """
    If EVENT_BUS_CONSUMER names this package and consumers are enabled, check the options of a worker's clients, the
    retry policies, the store of dead letters, and the databases of inboxes. Also check that no two receivers of an
    event have the same name.
    """
    if list(_wrong_values()) or not _points_here(SettingsTable.consumer) or not settings.consumers_enabled:
        return []
    clients = [_clients("consumer", _consumer_options), schema_registry_options]
    if settings.dead_letters == "topic":
        clients.append(_clients("producer", producer_options))
    messages = _refused("Consumer", [*clients, _retry_policies])
    messages += [*_missing_files("Consumer", _consumer_options), *_dead_letter_store()]
    return [*messages, *_inbox_databases(), *_doubled_names()]


def _clients(name: str, *options: Callable[[], Options]) -> Callable[[], Any]:
    """
    Return a function that checks the client options that each of ``options`` returns. The function raises
    :class:`ConfigurationError` if librdkafka's client ``name`` refuses these client options.
    """

    def check() -> None:
        for build in options:
            check_options(name, build())

    return check


def _producers() -> list[Callable[[], Options]]:
    """
    Return two functions that return client options: one for direct producers, and one for relays, which override some
    options.
    """
    return [producer_options, import_string("event_bus_kafka.assembly.relaying.relay_options")]


def _consumer_options() -> Options:
    return consumer_options("any")


def _missing_files(who: str, options: Callable[[], Options]) -> Iterator[CheckMessage]:
    """
    Warn if a file that a client option names does not exist. This is no error, since images are built and checked
    before certificates exist.
    """
    with suppress(ConfigurationError):  # another check reports this error
        for name, path in missing_files(options()).items():
            yield warning_message(
                "W008",
                f"{who}: the file of option {name!r} does not exist: {path}.",
                hint="Without the file no client can be created: events wait in the outbox, workers and relays exit "
                "with code 1.",
            )


def _retry_policies() -> RetryPolicies:
    return RetryPolicies.of(settings.retry, settings.retry_by)


def _wrong_values() -> Iterator[CheckMessage]:
    """
    Yield an error for each wrong value. If the settings name neither this package's producer nor this package's
    consumer, check only EVENT_BUS_PRODUCER and EVENT_BUS_CONSUMER.
    """
    ours = any(_is_right(setting) and _points_here(setting) for setting in _ENTRY_POINTS)
    for setting in all_settings() if ours else _ENTRY_POINTS:
        try:
            setting.value()
        except ConfigurationError as error:
            yield error_message("E001", str(error), f"{setting.sentence} Default: {setting.default!r}.")


def _unknown_names() -> Iterator[CheckMessage]:
    known = [setting.name for setting in all_settings()]
    for name in sorted(set(names_in_use("EVENT_BUS_KAFKA_")) - set(known)):
        nearest = get_close_matches(name, known, n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else "Remove it, or see the reference of settings."
        yield warning_message("W001", f"The setting {name} is unknown and has no effect.", hint=hint)


def _broken_paths() -> Iterator[CheckMessage]:
    for setting in _ENTRY_POINTS:
        path = setting.value() if _is_right(setting) else None
        if path is None:
            continue
        wanted = _ENTRY_POINTS[setting]
        if reason := _why_unusable(path, wanted):
            yield error_message(
                "E003", f"{setting.name} = {path!r} cannot be used: {reason}.", f"This package's is {wanted!r}."
            )


def _why_unusable(path: str, wanted: str = "") -> str | None:
    try:
        found = import_string(path)
    except Exception as error:  # noqa: BLE001 importing a module may raise any exception
        return str(error) or type(error).__name__
    if not callable(found):
        return "it is not callable"
    if wanted and path.startswith(f"{_OURS}.") and found is not import_string(wanted):
        return "it is not this package's entry point"
    return None


def _dead_letter_store() -> Iterator[CheckMessage]:
    setting = SettingsTable.dead_letters
    path = setting.value()
    if path in DEAD_LETTER_STORES:
        return
    if reason := _why_unusable(path):
        hint = f"Take one of {', '.join(DEAD_LETTER_STORES)}, or the path of a class with a method store(letter)."
        yield error_message("E003", f"{setting.name} = {path!r} cannot be used: {reason}.", hint)


def _half_credentials() -> Iterator[CheckMessage]:
    for name in ("EVENT_BUS_KAFKA_", "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_"):
        pair = [f"{name}API_KEY", f"{name}API_SECRET"]
        values = [setting.value() for setting in all_settings() if setting.name in pair and _is_right(setting)]
        if len(values) == 2 and bool(values[0]) != bool(values[1]):
            yield warning_message("W002", f"Only one of {pair[0]} and {pair[1]} is set.", hint="Set both or neither.")


def _check_route(route: Route) -> list[CheckMessage]:
    where = f"EVENT_BUS_PRODUCER_CONFIG[{route.event_type!r}][{route.topic!r}]"
    messages: list[CheckMessage] = []
    if route.database is not None and route.database not in connections:
        hint = f"Name one of {', '.join(connections)}, or leave it out."
        messages.append(error_message("E006", f"{where}: there is no database {route.database!r}.", hint))
    try:
        codec_for(OpenEdxPublicSignal.get_signal_by_type(route.event_type)).key(route.key_field)
    except SerializationError as error:
        hint = "Events of this type cannot be sent: disable the topic, or correct the class of the field."
        messages.append(error_message("E004", f"{where}: {error}.", hint))
    except ConfigurationError as error:
        messages.append(error_message("E005", str(error), f"Correct event_key_field in {where}."))
    return messages


def _refused(who: str, build: list[Callable[[], Any]]) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    for options in build:
        try:
            options()
        except ConfigurationError as error:
            messages.append(error_message("E002", f"{who}: {error}", None))
    return messages


def _points_here(setting: Setting[str | None]) -> bool:
    return (setting.value() or "").startswith(f"{_OURS}.")


def _is_right(setting: Setting[Any]) -> bool:
    try:
        setting.value()
    except ConfigurationError:
        return False
    return True


def _modes_without_topic(configured: list[Route]) -> Iterator[CheckMessage]:
    topics = {route.topic for route in configured}
    for topic in sorted(set(settings.topic_modes) - topics):
        yield warning_message(
            "W003",
            f"EVENT_BUS_KAFKA_TOPIC_MODES names the topic {topic!r}, which EVENT_BUS_PRODUCER_CONFIG does not name.",
            hint="Topics are named without prefix.",
        )


def _outbox_databases(enabled: list[Route]) -> Iterator[CheckMessage]:
    aliases = {route.database or home() for route in enabled if route.mode == "outbox"}
    vendors = {connections[alias].vendor for alias in aliases if alias in connections}
    if "sqlite" in vendors:
        hint = (
            "SQLite locks no rows: run one relay at a time, since two send everything twice. Use PostgreSQL, MySQL "
            "or MariaDB in production."
        )
        yield warning_message("W005", "The outbox is on SQLite.", hint=hint)
    if settings.relay_notify and aliases and "postgresql" not in vendors:
        hint = "Only PostgreSQL tells relays of new rows: remove the setting, or lower the poll interval."
        yield warning_message("W006", "EVENT_BUS_KAFKA_RELAY_NOTIFY has no effect.", hint=hint)


def _inbox_databases() -> list[CheckMessage]:
    hint = f"Name one of {', '.join(connections)}."
    unknown = sorted(inbox.aliases() - set(connections))
    return [error_message("E008", f"once(using={alias!r}): there is no such database.", hint) for alias in unknown]


def _doubled_names() -> Iterator[CheckMessage]:
    for signal in dispatch.signals():
        names = Counter(receiver.name for receiver in dispatch.receivers_of(signal))
        for name in (name for name, count in names.items() if count > 1):
            yield warning_message(
                "W009",
                f"{names[name]} receivers of {signal.event_type} have the name {name}.",
                hint="Dead letters, retries, circuits and pauses identify receivers by name: if one fails, a replay "
                "runs all with its name. Connect each with a different dispatch_uid.",
            )
