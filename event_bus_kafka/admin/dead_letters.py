"""The page dead_letters."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from event_bus_kafka.admin.pages import Page
from event_bus_kafka.models import DeadLetter


class DeadLettersPage(Page):
    """It is still to be built."""

    tables = (DeadLetter,)

    def show(self, request: HttpRequest) -> HttpResponse:
        return self.draw(request, "base", self.title, {})
