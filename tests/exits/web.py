"""
A WSGI application that emits an event at each request. The request's path contains the number of the event. The
application answers with the id of its process.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from tests.exits.emitting import emit, emit_first, emit_last  # noqa: E402 models need a configured Django

if "uwsgi" in sys.modules:  # uWSGI calls a single function at its end
    sys.modules["uwsgi"].atexit = emit_last  # type: ignore[attr-defined]
emit_first()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    emit(int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
