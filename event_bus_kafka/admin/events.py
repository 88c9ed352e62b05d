"""The page events."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from event_bus_kafka.admin.pages import Page
from event_bus_kafka.models import HistoryRow


class EventsPage(Page):
    """It is still to be built."""

    tables = (HistoryRow,)

    def show(self, request: HttpRequest) -> HttpResponse:
        return self.draw(request, "base", self.title, {})
