"""Starts three services, causes failures in them, and serves their admin sites until Ctrl-C."""

from __future__ import annotations

from contextlib import suppress

from examples.tour.desk import COURSES, SERVICES, WITHOUT_WORKER
from examples.tour.processes import Interrupted
from examples.tour.stage import Stage

_TROUBLE = "from examples.tour.desk.emitting import make_trouble; make_trouble()"
_MEND = """In lms, certificates are under maintenance, and what exams change about them has become dead letters.
To mend it, delete the row "certificates" at LMS, Maintenances. Then tick the dead letters of the receiver
examples.lms.exams.change_certificate, choose "Replay", and watch the worker bring them through."""
_PAUSED = "examples.credentials.receivers.note_interest"


def show(stage: Stage) -> int:
    """Run the demonstration until Ctrl-C; return the exit code."""
    print(f"Starting {' and '.join(SERVICES)}, with trouble …", flush=True)
    for service in SERVICES:
        stage.manage(service, "migrate", "--verbosity=0")
        stage.manage(service, "createsuperuser", "--noinput", "--username=admin", "--email=admin@example.com")
    stage.manage("credentials", "event_bus_pause", "--receiver", _PAUSED, "--reason", "A demonstration", "--apply")
    stage.start_services([service for service in SERVICES if service != WITHOUT_WORKER])
    stage.start_sender(WITHOUT_WORKER)
    urls = {service: stage.start_site(service) for service in SERVICES}
    stage.manage("lms", "shell", "-c", _TROUBLE)
    stage.call("lms", 'begin_maintenance("certificates")')
    for learner in range(1, 25):
        for step in ("submit", "reject"):
            stage.call("exams", f'{step}_attempt({learner}, "{COURSES[learner % len(COURSES)]}")')
    print("\nThe admin sites show rows of every kind, and more rows come while you look:\n")
    for service, url in urls.items():
        print(f"  {service:<12} {url}")
    print(f"\n{_MEND}\n\nLog in as admin, with the password admin. Ctrl-C ends all.", flush=True)
    with suppress(Interrupted):
        while True:
            stage.pause(0.2)
    return 0
