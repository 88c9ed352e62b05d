"""Connects the receivers that the variable RECEIVERS names."""

import json
import os
import sys
from typing import Any

from django.apps import AppConfig
from django.utils.module_loading import import_string
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED


class ServiceConfig(AppConfig):
    name = "tests.projects.certificates"
    label = "service"

    def ready(self) -> None:
        for name in filter(None, os.environ.get("RECEIVERS", "").split(",")):
            receiver = import_string(f"tests.projects.certificates.{name if '.' in name else f'receivers.{name}'}")
            CERTIFICATE_CREATED.connect(receiver)
            CERTIFICATE_REVOKED.connect(receiver)


def say(what: str, **values: Any) -> None:
    """
    Print a line of JSON for the test. A single call writes the whole line, because several lanes may print at the same
    time.
    """
    sys.stdout.write(json.dumps({"what": what, **values}, default=str) + "\n")
    sys.stdout.flush()
