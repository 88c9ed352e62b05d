"""The module with which a celery worker starts. It sets up Django and imports the tasks."""

import django

django.setup()

from tests.projects.lms_like.tasks import app  # noqa: E402 models need a configured Django

__all__ = ["app"]
