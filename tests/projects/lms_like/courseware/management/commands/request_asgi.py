"""``manage.py request_asgi PATH …`` sends requests to the ASGI application, one request after another."""

from argparse import ArgumentParser
from typing import Any

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.core.management.base import BaseCommand

from tests.projects.certificates.apps import say


class Command(BaseCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+")

    def handle(self, *_: Any, **options: Any) -> None:
        async_to_sync(_serve)(options["paths"])


async def _serve(paths: list[str]) -> None:
    application = get_asgi_application()
    for path in paths:
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/{path}",
            "headers": [(b"host", b"127.0.0.1")],
            "query_string": b"",
        }
        server = ApplicationCommunicator(application, scope)
        await server.send_input({"type": "http.request"})
        start = await server.receive_output(timeout=60)
        await server.wait(timeout=60)
        say("answered", name=path, status=start["status"])
