"""
A view that emits an event. The request's path contains the number of the event. The view answers with the id of its
process.
"""

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.exits.emitting import emit


def view(_: HttpRequest, number: int) -> HttpResponse:
    emit(number)
    return HttpResponse(str(os.getpid()))


urlpatterns = [path("<int:number>", view)]
