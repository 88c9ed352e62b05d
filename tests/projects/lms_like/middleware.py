"""Middleware like that of the LMS: one reads a course for each request, one leaves state in the request's thread."""

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from edx_django_utils.cache import RequestCache

from tests.projects.lms_like.courseware.models import Course


class LeftoversMiddleware(MiddlewareMixin):
    """Leaves a language and a cache in the thread, which the thread's next request finds."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        translation.activate("eo")
        RequestCache("lms_like").set("left by", request.path)
        return response


class CourseMiddleware(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> None:
        RequestCache("lms_like").set("course", Course.objects.first())
