"""
A celery application whose tasks emit events. Its message broker is the folder that the variable CELERY_FOLDER names.
"""

import os
from pathlib import Path

import django
from celery import Celery

django.setup()

from tests.exits.emitting import emit, emit_first  # noqa: E402 models need a configured Django

emit_first()

_folder = Path(os.environ["CELERY_FOLDER"])
app = Celery("service", broker="filesystem://")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "data_folder_in": str(_folder / "tasks"),
        "data_folder_out": str(_folder / "tasks"),
        "control_folder": str(_folder / "control"),
        "polling_interval": 0.1,
    },
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
)

emit_in_task = app.task(emit)
