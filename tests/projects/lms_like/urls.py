"""
The URLs of the project. Each URL ends with the name of its view: ``/wsgi/outbox/atomic``. Plugins add further URLs.
"""

from django.urls import path
from edx_django_utils.plugins import get_plugin_url_patterns

from tests.projects.lms_like import views

_VIEWS = (
    views.atomic,
    views.rolled_back,
    views.in_a_hook,
    views.guarded,
    views.non_atomic,
    views.non_atomic_default,
    views.atomic_replica,
    views.atomic_history,
    views.rolled_back_history,
    views.asynchronous,
    views.asynchronous_atomic,
    views.asynchronous_rolled_back,
)
urlpatterns = [
    path("task/<mode>/<job>", views.task),
    *(path(f"<server>/<mode>/{view.__name__}", view) for view in _VIEWS),
    *get_plugin_url_patterns("lms.djangoapp"),
]
