"""Connects the receivers that RECEIVERS names."""

import json
import os
from typing import Any

from django.apps import AppConfig
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED


class ServiceConfig(AppConfig):
    name = "tests.service"
    label = "service"

    def ready(self) -> None:
        from tests.service import receivers

        for name in filter(None, os.environ.get("RECEIVERS", "").split(",")):
            receiver = getattr(receivers, name)
            CERTIFICATE_CREATED.connect(receiver)
            CERTIFICATE_REVOKED.connect(receiver)


def say(what: str, **values: Any) -> None:
    """Print a line that a test reads."""
    print(json.dumps({"what": what, **values}, default=str), flush=True)
