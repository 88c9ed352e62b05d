"""The celery application. Its message broker is the folder that the variable CELERY_FOLDER names."""

import os
from pathlib import Path

from celery import Celery

from tests.projects.lms_like import jobs

_folder = Path(os.environ.get("CELERY_FOLDER", "."))
app = Celery("lms_like")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.broker_transport_options = {
    "data_folder_in": str(_folder / "tasks"),
    "data_folder_out": str(_folder / "tasks"),
    "control_folder": str(_folder / "control"),
    "polling_interval": 0.1,
}

run_job = app.task(jobs.run, name="run_job")
