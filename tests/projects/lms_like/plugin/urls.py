"""The URL of a view that saves an object. A receiver emits an event about this object."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.projects.lms_like.courseware.models import Certificate


def save(request: HttpRequest, **_: str) -> HttpResponse:
    Certificate.objects.create(name=request.path.strip("/"))
    return HttpResponse()


urlpatterns = [path("<server>/<mode>/plugin", save)]
