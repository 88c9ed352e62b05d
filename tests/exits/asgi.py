"""An ASGI application that emits the number in the path of a request, and answers with the id of its process."""

import os

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from event_bus_kafka.asgi import lifespan

application = get_asgi_application()
if "BARE" not in os.environ:
    application = lifespan(application)  # type: ignore[arg-type, assignment] # Django's has other types for a scope

from tests.exits.emitting import emit, emit_first  # noqa: E402 models need a Django that is set up

emit_first()


def view(_: HttpRequest, number: int) -> HttpResponse:
    emit(number)
    return HttpResponse(str(os.getpid()))


async def in_the_loop(_: HttpRequest, number: int) -> HttpResponse:
    emit(number)
    return HttpResponse(str(os.getpid()))


urlpatterns = [path("<int:number>", view), path("loop/<int:number>", in_the_loop)]
