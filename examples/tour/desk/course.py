"""Starts two services, causes failures in them, and serves their admin sites until Ctrl-C."""

from __future__ import annotations

from contextlib import suppress

from examples.tour.desk import SERVICES
from examples.tour.processes import Interrupted
from examples.tour.stage import Stage

_TROUBLE = "from examples.tour.desk.emitting import make_trouble; make_trouble()"
_PAUSED = "examples.credentials.receivers.note_interest"


def show(stage: Stage) -> int:
    """Run the demonstration until Ctrl-C; return the exit code."""
    print(f"Starting {' and '.join(SERVICES)}, with trouble …", flush=True)
    for service in SERVICES:
        stage.manage(service, "migrate", "--verbosity=0")
        stage.manage(service, "createsuperuser", "--noinput", "--username=admin", "--email=admin@example.com")
    stage.manage("credentials", "event_bus_pause", "--receiver", _PAUSED, "--reason", "A demonstration", "--apply")
    stage.start_services(SERVICES)
    urls = {service: stage.start_site(service) for service in SERVICES}
    stage.manage("lms", "shell", "-c", _TROUBLE)
    print("\nSomething of everything is there to be looked at, and more comes to be:\n")
    for service, url in urls.items():
        print(f"  {service:<12} {url}")
    print("\nLog in as admin, with the password admin. Ctrl-C ends all.", flush=True)
    with suppress(Interrupted):
        while True:
            stage.pause(0.2)
    return 0
