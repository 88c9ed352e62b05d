"""A celery worker starts with this module. The module sets up Django and imports the tasks."""

import django

django.setup()

from tests.projects.lms_like.tasks import app  # noqa: E402 models need a configured Django

__all__ = ["app"]
