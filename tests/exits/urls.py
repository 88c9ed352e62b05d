"""
A view that emits an event. The number of the event comes from the request's path, and the answer is the id of the
view's process.
"""

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.exits.emitting import emit


def view(_: HttpRequest, number: int) -> HttpResponse:
    emit(number)
    return HttpResponse(str(os.getpid()))


urlpatterns = [path("<int:number>", view)]
