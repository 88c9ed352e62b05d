"""
The test service as an ASGI application. Unless BARE is set, it contains the lines that docs/operating/senders.rst
recommends.
"""

import os

from django.core.asgi import get_asgi_application

from event_bus_kafka.asgi import lifespan

application = get_asgi_application()
if "BARE" not in os.environ:
    application = lifespan(application)  # type: ignore[arg-type, assignment] # Django has other types for a scope

from tests.exits.emitting import emit_first  # noqa: E402 models need a configured Django

emit_first()
