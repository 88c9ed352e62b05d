"""
The pages of the event bus in Django's admin: a thin layer over ``operations/``. Only the autodiscovery of Django's
admin imports this package.

Each page is a :class:`~event_bus_kafka.admin.pages.Page` and has a link in the section "Event bus" of the admin's
index.
"""

from __future__ import annotations

from django.contrib import admin

from event_bus_kafka.admin.dead_letters.letters_page import DeadLettersPage
from event_bus_kafka.admin.events import EventsPage
from event_bus_kafka.admin.outboxes.outbox_page import OutboxPage
from event_bus_kafka.admin.overview.overview_page import OverviewPage
from event_bus_kafka.admin.replay_requests.requests_page import ReplayRequestsPage
from event_bus_kafka.admin.workers.workers_page import WorkersPage
from event_bus_kafka.models import DeadLetter, EventBus, Heartbeat, HistoryRow, ParkedRecord, ReplayRequest

PAGES = {
    EventBus: OverviewPage,
    DeadLetter: DeadLettersPage,
    ReplayRequest: ReplayRequestsPage,
    ParkedRecord: OutboxPage,
    Heartbeat: WorkersPage,
    HistoryRow: EventsPage,
}
"""The pages, in the order of the navigation. Each key is the model under which Django's admin lists the page."""


def register(site: admin.AdminSite) -> None:
    """Add the pages of the event bus to ``site``. Django's default site already has these pages."""
    for model, page in PAGES.items():
        site.register(model, page)


register(admin.site)
