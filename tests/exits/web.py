"""A WSGI application that emits the number in the path of a request, and answers with the id of its process."""

import os
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from tests.exits.emitting import emit, emit_first, emit_last  # noqa: E402 models need a Django that is set up

if "uwsgi" in sys.modules:  # which has one place for a function that runs at the end
    sys.modules["uwsgi"].atexit = emit_last  # type: ignore[attr-defined]
emit_first()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    emit(int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
