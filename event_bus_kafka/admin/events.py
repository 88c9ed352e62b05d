"""The catalogue of this service's event types, and the form that asks where an event is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.pages import Page, outside_transactions
from event_bus_kafka.admin.shapes import Cell, Facts, Linked, Marked, Table, lines
from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import SerializationError
from event_bus_kafka.models import HistoryRow, Right
from event_bus_kafka.operations.event_catalogue import EventTypeView, event_types, fields_of, schema_of
from event_bus_kafka.operations.history import summed
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.shown import shown

_WEEK = timedelta(days=7)
_SENT, _RECEIVED = ("delivered", "relayed"), ("received",)
"""The outcomes in the history that mean that an event was sent, and those that mean that it was received."""
_OUTCOMES = {
    "delivered": _("sent directly"),
    "relayed": _("sent from the outbox"),
    "appended": _("written to the outbox"),
    "spilled": _("put into the outbox, as Kafka did not confirm it"),
    "done": _("finished by all receivers"),
    "dead-lettered": _("became dead letters"),
}
"""Outcome in the history → its description on pages. Other outcomes are shown by their names."""

Volumes = Mapping[str, Mapping[str, int]]
"""Numbers of events, by event type and by outcome."""


class EventsPage(Page):
    """The pages of this service's event types: a list, a page for each type, and the search for an event."""

    tables = (HistoryRow,)

    def below(self) -> Iterator[URLPattern]:
        yield self.page_at("types/<str:event_type>/", self.event_type, "type")
        yield outside_transactions(self.action_at("where/", self.where, "where", Right.VIEW))

    def show(self, request: HttpRequest) -> HttpResponse:
        volumes = _volumes(outcomes=[*_SENT, *_RECEIVED])
        context = {
            "form": {"url": self.url("where")},
            "types": Table(
                caption=gettext("Event types"),
                columns=[
                    gettext("Event type"),
                    gettext("Sent to"),
                    gettext("Receivers"),
                    gettext("Sent in 7 days"),
                    gettext("Received in 7 days"),
                ],
                rows=[self._row(one, volumes) for one in event_types()],
                empty=gettext("This service neither sends nor receives an event."),
            ),
            "subscriptions": _subscriptions(),
        }
        return self.draw(request, "events", self.title, context)

    def event_type(self, request: HttpRequest, event_type: str) -> HttpResponse:
        """Show the page of one event type."""
        found = next((one for one in event_types() if one.event_type == event_type), None)
        if found is None:
            raise Http404
        context: dict[str, Any] = {
            "routes": _routes(found),
            "receivers": list(map(shown, found.receivers)),
            "volume": _volume(_volumes(event_type=event_type).get(event_type, {})),
            "problem": "",
        }
        try:
            context |= {"fields": _fields(event_type), "schema": schema_of(event_type)}
        except SerializationError as error:
            context["problem"] = str(error)
        return self.draw(request, "event_type", event_type, context)

    def where(self, request: HttpRequest) -> HttpResponse:
        """Search for an event by its id or key in Kafka and in this service's tables."""
        searching = import_module("event_bus_kafka.admin.whereabouts")  # the import loads Kafka's client
        context = {
            "form": {"url": self.url("where")},
            **searching.answer(request.POST, searching.actions_of(self, request)),
        }
        return self.draw(request, "where", gettext("Where is this event?"), context)

    def _row(self, one: EventTypeView, volumes: Volumes) -> list[Cell]:
        volume = partial(_sum, volumes.get(one.event_type, {}))
        topics = lines(shown(full_topic(route.topic)) for route in one.routes if route.enabled)
        return [
            Linked(text=shown(one.event_type), url=self.url("type", one.event_type)),
            topics,
            charts.count(len(one.receivers)) if one.receivers else "–",
            charts.count(volume(*_SENT)),
            charts.count(volume(*_RECEIVED)),
        ]


def _volumes(**restricted: Any) -> Volumes:
    """Return the numbers of events in the last week. ``restricted``: further arguments for :func:`summed`."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    since, whole = datetime.now(UTC) - _WEEK, round(2 * _WEEK.total_seconds())
    for (_begins, event_type, outcome), sums in summed(since, whole, ("event_type", "outcome"), **restricted).items():
        found[event_type][outcome] = found[event_type].get(outcome, 0) + sums.count
    return found


def _sum(volume: Mapping[str, int], *outcomes: str) -> int:
    return sum(volume.get(one, 0) for one in outcomes)


def _volume(volume: Mapping[str, int]) -> Facts:
    return Facts(
        items=[
            (capfirst(str(_OUTCOMES.get(outcome, shown(outcome)))), charts.count(number))
            for outcome, number in sorted(volume.items())
        ]
    )


def _routes(found: EventTypeView) -> Table:
    return Table(
        caption=gettext("Where it is sent"),
        columns=[gettext("Topic"), gettext("State"), gettext("Mode"), gettext("Key"), gettext("Database")],
        rows=[_route(one) for one in found.routes],
        empty=gettext("This service does not send it."),
    )


def _route(route: Route) -> list[Cell]:
    state = Marked(
        text=gettext("enabled") if route.enabled else gettext("disabled"), mark="good" if route.enabled else "idle"
    )
    return [shown(full_topic(route.topic)), state, route.mode, route.key_field, route.database or "–"]


def _fields(event_type: str) -> Table:
    return Table(
        caption=gettext("Fields"),
        columns=[gettext("Field"), gettext("Type"), gettext("Needed")],
        rows=[
            [one.path, one.expects, gettext("yes") if one.required else gettext("no")] for one in fields_of(event_type)
        ],
        empty=gettext("No signal of this service has this type."),
    )


def _subscriptions() -> Table:
    return Table(
        caption=gettext("Subscriptions"),
        columns=[gettext("Group"), gettext("Topics")],
        rows=[
            [shown(group), lines(shown(full_topic(topic)) for topic in topics)]
            for group, topics in settings.subscriptions.items()
        ],
    )
