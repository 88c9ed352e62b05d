"""Checks whether settings of times contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage

from event_bus_kafka.checks.catalogue import warning_message
from event_bus_kafka.conf.kinds import Setting
from event_bus_kafka.conf.settings import SettingsTable, settings
from event_bus_kafka.errors import ConfigurationError

_OURS = "event_bus_kafka."
_HEARTBEATS = 2
"""Minimal number of heartbeats per session, so that a single late heartbeat does not end the membership."""
_DELIVERY = ("message.timeout.ms", "delivery.timeout.ms")


def check_times(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """
    Check that no time in the settings makes another time in the settings useless. Checks nothing if the settings name
    neither this package's producer nor this package's consumer.
    """
    try:
        sends = (settings.producer or "").startswith(_OURS)
        reads = (settings.consumer or "").startswith(_OURS) and settings.consumers_enabled
        return [*(_of_sending() if sends else ()), *(_of_reading() if reads else ())]
    except ConfigurationError:  # another check reports this error
        return []


def _of_sending() -> Iterator[CheckMessage]:
    send, delivery = SettingsTable.send_timeout, SettingsTable.delivery_timeout
    if send.value() > delivery.value():
        yield _contradiction(
            f"{_said(send)} is longer than {_said(delivery)}",
            "An event would be given up while its send still waits: make the second time longer than the first.",
        )
    given = settings.client_options | settings.producer_options
    for name in _DELIVERY:
        if name in given and _milliseconds(given[name]) not in (None, delivery.value() * 1000):
            yield _contradiction(
                f"{name} = {given[name]} of the producer's options differs from {_said(delivery)}",
                "Remove the option: the setting defines this time, after which unconfirmed events are put into the "
                "outbox.",
            )


def _of_reading() -> Iterator[CheckMessage]:
    poll, stop = SettingsTable.consumer_poll_timeout, SettingsTable.stop_timeout
    if poll.value() >= stop.value():
        yield _contradiction(
            f"{_said(poll)} is not shorter than {_said(stop)}",
            "A worker that is stopped while it polls would be killed: set the first time to one second.",
        )
    yield from _of_membership(settings.client_options | settings.consumer_options)
    policies = {SettingsTable.retry.name: settings.retry}
    for name, changes in settings.retry_by.items():
        policies[f"{SettingsTable.retry_by.name}[{name!r}]"] = settings.retry | changes
    for name, policy in policies.items():
        if policy["first_delay"] > policy["max_delay"]:
            yield _contradiction(
                f"{name}: first_delay = {policy['first_delay']} is longer than max_delay = {policy['max_delay']}",
                "Every retry would be delayed by max_delay, without growth.",
            )


def _of_membership(given: dict[str, Any]) -> Iterator[CheckMessage]:
    longest = max(SettingsTable.revoke_timeout, SettingsTable.stop_timeout, key=lambda setting: setting.value())
    interval = _milliseconds(given.get("max.poll.interval.ms"))
    if interval is not None and interval <= longest.value() * 1000:
        yield _contradiction(
            f"max.poll.interval.ms = {interval} of the consumer's options is not longer than {_said(longest)}",
            "A worker that waits for its receivers would be removed from its group: remove the option.",
        )
    session = _milliseconds(given.get("session.timeout.ms", 45_000))
    heartbeat = _milliseconds(given.get("heartbeat.interval.ms", 3_000))
    if given.get("group.protocol") == "consumer" or session is None or heartbeat is None:
        return
    if heartbeat * _HEARTBEATS > session:
        yield _contradiction(
            f"heartbeat.interval.ms = {heartbeat} is more than half of session.timeout.ms = {session}",
            "A single late heartbeat would end the membership: use a third of the session.",
        )


def _contradiction(message: str, hint: str) -> CheckMessage:
    return warning_message("W013", f"{message}.", hint)


def _said(setting: Setting[float]) -> str:
    return f"{setting.name} = {setting.value():g}"


def _milliseconds(value: object) -> int | None:
    """
    Return the value of an option as a number. Return None if ``value`` is not a whole number, because librdkafka itself
    reports this mistake.
    """
    return int(str(value)) if str(value).isdecimal() else None
