"""The page overview."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from event_bus_kafka.admin.pages import Page


class OverviewPage(Page):
    """It is still to be built."""

    def show(self, request: HttpRequest) -> HttpResponse:
        return self.draw(request, "base", self.title, {})
