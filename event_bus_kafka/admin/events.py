"""The catalogue of this service's event types, and the form that asks where an event is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from math import ceil
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import moment
from event_bus_kafka.admin.pages import Page, outside_transactions
from event_bus_kafka.admin.shapes import Cell, Facts, Linked, Marked, Stacked, Table, lines
from event_bus_kafka.admin.workers.pending_letters import PendingLetters
from event_bus_kafka.admin.workers.receivers_table import receiver_state
from event_bus_kafka.conf.routes import full_topic, routes
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.errors import SerializationError
from event_bus_kafka.models import DeadLetter, Heartbeat, HistoryRow, PausedReceiver, Right
from event_bus_kafka.operations.event_catalogue import EventTypeView, event_types, fields_of, schema_of
from event_bus_kafka.operations.groups import receivers
from event_bus_kafka.operations.history import summed
from event_bus_kafka.operations.pauses import paused_receivers
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.shown import shown

_MOST_DAYS = 7
_SENT, _RECEIVED = ("delivered", "relayed"), ("received",)
"""The outcomes in the history that mean that an event was sent, and those that mean that it was received."""
_OUTCOMES = {
    "appended": _("written to the outbox"),
    "delivered": _("sent directly"),
    "spilled": _("put into the outbox, as Kafka did not confirm it"),
    "relayed": _("sent from the outbox"),
    "parked": _("parked, as Kafka refused it"),
    "rejected": _("rejected, as it cannot be sent"),
    "lost": _("lost"),
    "received": _("received"),
    "done": _("finished by all receivers"),
    "retried": _("retried (further attempts)"),
    "dead-lettered": _("became dead letters"),
    "skipped": _("skipped, as no receiver should get it"),
}
"""
Outcome in the history → its description on pages, in the order of the pages. Other outcomes are shown by their names.
"""
_ORDER = list(_OUTCOMES)
_DEAD_LETTERED = "dead-lettered"
"""The outcome in the history of events that became dead letters."""

Volumes = Mapping[str, Mapping[str, int]]
"""Numbers of events, by event type and by outcome."""


class EventsPage(Page):
    """The pages of this service's event types: a list, a page for each type, and the search for an event."""

    tables = (HistoryRow, Heartbeat, PausedReceiver)

    def below(self) -> Iterator[URLPattern]:
        yield self.page_at("types/<str:event_type>/", self.event_type, "type")
        yield outside_transactions(self.action_at("where/", self.where, "where", Right.VIEW))

    def show(self, request: HttpRequest) -> HttpResponse:
        context = {
            "types": self._types(event_types(), _volumes(outcomes=[*_SENT, *_RECEIVED])),
            "subscriptions": self._subscriptions(),
            "has_history": bool(settings.history),
            "time": moment(datetime.now(UTC)),
        }
        return self.draw(request, "events", self.title, context | self._form())

    def event_type(self, request: HttpRequest, event_type: str) -> HttpResponse:
        """Show the page of one event type."""
        found = next((one for one in event_types() if one.event_type == event_type), None)
        if found is None:
            raise Http404
        volume = _volumes(event_type=event_type).get(event_type, {})
        letters = self._letters(event_type) if volume.get(_DEAD_LETTERED) else None
        pending = PendingLetters.of(found.receivers, self.page_of(DeadLetter).url())
        context: dict[str, Any] = {
            "routes": _routes(found),
            "receivers": _receivers(found, pending, self.page_of(Heartbeat).url()),
            "letters_may_overlap": pending.may_overlap,
            "groups": self._subscriptions() if found.receivers else None,
            "workers": self.page_of(Heartbeat),
            "volume": _volume(volume, letters),
            "has_history": bool(settings.history),
            "period": _period(),
            "time": moment(datetime.now(UTC)),
            "problem": "",
        }
        try:
            context |= {"fields": _fields(event_type), "schema": schema_of(event_type)}
        except SerializationError as error:
            context["problem"] = str(error)
        return self.draw(request, "event_type", event_type, context)

    def _letters(self, event_type: str) -> Linked:
        """
        Return a link to the present dead letters of an event type. There may be fewer of them than the history counts.
        """
        url = self.page_of(DeadLetter).filtered(event_type=event_type)
        return Linked(text=gettext("those that wait now"), url=url)

    def where(self, request: HttpRequest) -> HttpResponse:
        """Search for an event by its id or key in Kafka and in this service's tables."""
        searching = import_module("event_bus_kafka.admin.whereabouts")  # the import loads Kafka's client
        context = {**self._form(), **searching.answer(request.POST, searching.actions_of(self, request))}
        return self.draw(request, "where", gettext("Where is this event?"), context)

    def _form(self) -> dict[str, Any]:
        """Return the template's context for the search form, which suggests the topics of this service."""
        topics = {topic for several in settings.subscriptions.values() for topic in several}
        topics |= {route.topic for route in routes() if route.enabled}
        return {"form": {"url": self.url("where"), "topics": sorted(map(full_topic, topics))}}

    def _types(self, several: Sequence[EventTypeView], volumes: Volumes) -> Table:
        """
        Return the table of event types. Columns about sending are left out if no type has a route, and columns about
        receiving if no type has a receiver.
        """
        period = {"period": _period()}

        def numbers(*outcomes: str) -> list[Cell]:
            return [charts.count(_sum(volumes.get(one.event_type, {}), *outcomes)) for one in several]

        links: list[Cell] = [
            Linked(text=shown(one.event_type), url=self.url("type", one.event_type)) for one in several
        ]
        texts: dict[str, list[Cell]] = {gettext("Event type"): links}
        sent: dict[str, list[Cell]] = {}
        received: dict[str, list[Cell]] = {}
        if any(one.routes for one in several):
            texts[gettext("Sent to")] = [_topics(one) for one in several]
            if settings.history:
                sent[gettext("Sent in %(period)s") % period] = numbers(*_SENT)
        if any(one.receivers for one in several):
            received[gettext("Receivers")] = [
                charts.count(len(one.receivers)) if one.receivers else "–" for one in several
            ]
            if settings.history:
                received[gettext("Received in %(period)s") % period] = numbers(*_RECEIVED)
        columns = texts | sent | received
        return Table(
            caption=gettext("Event types"),
            columns=list(columns),
            numbers=[*sent, *received],
            rows=list(zip(*columns.values(), strict=True)),
            empty=gettext("This service neither sends nor receives an event."),
        )

    def _subscriptions(self) -> Table:
        workers = self.page_of(Heartbeat)
        return Table(
            caption=gettext("Subscriptions"),
            columns=[gettext("Group"), gettext("Topics")],
            rows=[
                [
                    Linked(text=shown(group), url=workers.url("group", group)),
                    lines(shown(full_topic(topic)) for topic in topics),
                ]
                for group, topics in settings.subscriptions.items()
            ],
        )


def _volumes(**restricted: Any) -> Volumes:
    """Return the numbers of events in the last days. ``restricted``: further arguments for :func:`summed`."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    span = timedelta(days=_days())
    since, whole = datetime.now(UTC) - span, round(2 * span.total_seconds())
    for (_begins, event_type, outcome), sums in summed(since, whole, ("event_type", "outcome"), **restricted).items():
        found[event_type][outcome] = found[event_type].get(outcome, 0) + sums.count
    return found


def _sum(volume: Mapping[str, int], *outcomes: str) -> int:
    return sum(volume.get(one, 0) for one in outcomes)


def _volume(volume: Mapping[str, int], letters: Linked | None) -> Facts:
    """Return the numbers of an event type. ``letters``: a link to its dead letters; None: there are none."""
    items: list[tuple[str, Cell]] = []
    for outcome, number in sorted(volume.items(), key=_place):
        text = charts.count(number)
        cell = Stacked(cells=[text, letters]) if letters and outcome == _DEAD_LETTERED else text
        items.append((capfirst(str(_OUTCOMES.get(outcome, shown(outcome)))), cell))
    return Facts(items=items)


def _place(item: tuple[str, int]) -> tuple[int, str]:
    """Return the key by which an outcome with its number is sorted. Unknown outcomes come last."""
    outcome, _number = item
    return _ORDER.index(outcome) if outcome in _ORDER else len(_ORDER), outcome


def _days() -> int:
    """Return the number of days for which events are counted on these pages: a week, or less if less is kept."""
    return min(_MOST_DAYS, ceil(settings.history) or _MOST_DAYS)


def _period() -> str:
    return ngettext("%(days)d day", "%(days)d days", _days()) % {"days": _days()}


def _topics(one: EventTypeView) -> Cell:
    return lines(shown(full_topic(route.topic)) for route in one.routes if route.enabled)


def _receivers(found: EventTypeView, letters: PendingLetters, workers_url: str) -> Table:
    views = {one.name: one for one in receivers(workers(), paused_receivers())}
    return Table(
        caption=gettext("Where it is received"),
        columns=[gettext("Receiver"), gettext("State")],
        rows=[
            [shown(name), receiver_state(views[name], letters, workers_url=workers_url)]
            for name in sorted(found.receivers)
        ],
        empty=gettext("No receiver of this service listens to it."),
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
        columns=[gettext("Field"), gettext("Type"), gettext("Required")],
        rows=[
            [one.path, one.expects, gettext("yes") if one.required else gettext("no")] for one in fields_of(event_type)
        ],
        empty=gettext("No signal of this service has this type."),
    )
