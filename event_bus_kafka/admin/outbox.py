"""The page outbox."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from event_bus_kafka.admin.pages import Page
from event_bus_kafka.models import ParkedRecord


class OutboxPage(Page):
    """It is still to be built."""

    tables = (ParkedRecord,)

    def show(self, request: HttpRequest) -> HttpResponse:
        return self.draw(request, "base", self.title, {})
