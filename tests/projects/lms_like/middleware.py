"""
Two middlewares like those of the LMS. One middleware reads a course at each request. The other middleware changes the
state of the thread that handles the request.
"""

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from edx_django_utils.cache import RequestCache

from tests.projects.lms_like.courseware.models import Course


class LeftoversMiddleware(MiddlewareMixin):
    """
    Sets a language and a cache in the thread, and does not reset them. The next request in this thread finds both.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        translation.activate("eo")
        RequestCache("lms_like").set("left by", request.path)
        return response


class CourseMiddleware(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> None:
        RequestCache("lms_like").set("course", Course.objects.first())
