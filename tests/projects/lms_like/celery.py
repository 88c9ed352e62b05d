"""Where a celery worker begins, and finds the tasks of a Django that is set up."""

import django

django.setup()

from tests.projects.lms_like.tasks import app  # noqa: E402 models need a Django that is set up

__all__ = ["app"]
