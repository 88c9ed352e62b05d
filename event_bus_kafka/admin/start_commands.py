"""The commands that start workers and relays, as texts for pages."""

from __future__ import annotations

from django.utils.translation import gettext

from event_bus_kafka.conf.routes import routes
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.operations.pauses import event_types_by_receiver

_ANY_WORKER = "manage.py consume_events -g GROUP -t TOPIC"


def start_worker() -> str:
    """
    Return a sentence with the command that starts a worker. If the service has no receiver, the sentence says that no
    worker is needed. Empty if groups are subscribed: the pages list these groups with a command for each.
    """
    if settings.subscriptions:
        return ""
    if not event_types_by_receiver():
        return gettext("None is needed: no receiver of this service listens to an event.")
    return gettext("Start one: %(command)s") % {"command": _ANY_WORKER}


def start_relay() -> str:
    """
    Return a sentence with the command that starts a relay. If the service sends no events, the sentence says that no
    relay is needed. Raises :class:`ConfigurationError` if a route is wrong.
    """
    if not any(route.enabled for route in routes()):
        return gettext("None is needed: this service sends no events.")
    return gettext("Start one: %(command)s") % {"command": "manage.py relay_events"}


def no_heartbeats() -> str:
    """Return a text that says why the pages do not know whether workers and relays run."""
    return gettext("not known: EVENT_BUS_KAFKA_HEARTBEAT is 0")
