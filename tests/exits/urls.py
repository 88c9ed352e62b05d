"""A view that emits the number in the path of a request, and answers with the id of its process."""

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.exits.emitting import emit


def view(_: HttpRequest, number: int) -> HttpResponse:
    emit(number)
    return HttpResponse(str(os.getpid()))


urlpatterns = [path("<int:number>", view)]
