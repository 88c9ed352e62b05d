"""The commands that start workers and relays, as texts for pages."""

from __future__ import annotations

from django.utils.translation import gettext

from event_bus_kafka.conf.routes import routes

START_WORKER = "manage.py consume_events -g GROUP -t TOPIC"


def start_relay() -> str:
    """
    Return a sentence with the command that starts a relay. If the service sends no events, the sentence says that no
    relay is needed. Raises :class:`ConfigurationError` if a route is wrong.
    """
    if not any(route.enabled for route in routes()):
        return gettext("None is needed: this service sends no events.")
    return gettext("Start one: %(command)s") % {"command": "manage.py relay_events"}
