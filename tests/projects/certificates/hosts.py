"""
Simulates restricted hosts. When this module is imported, it restricts the process in the way that the variable HOST
names.
"""

import os
import resource
import sys
from typing import Any

from django.db import connection
from django.utils import timezone
from openedx_events.learning.data import CertificateData

from event_bus_kafka.models import PausedReceiver
from tests.projects.certificates.apps import say

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "shutil.move"}


def _refuse_writes(event: str, arguments: tuple[Any, ...]) -> None:
    """
    Raise the error of a read-only file system for all writes except writes to devices. File permissions would not
    prevent the writes, because root may write to every file.
    """
    if event in _CHANGES:
        raise OSError(30, "Read-only file system", str(arguments[0]))
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path, _, flags = arguments
        if flags & _WRITING and not os.fsdecode(path).startswith("/dev/"):
            raise OSError(30, "Read-only file system", os.fsdecode(path))


if os.environ.get("HOST") == "read-only":
    sys.addaudithook(_refuse_writes)
elif os.environ.get("HOST") == "descriptors":
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def arrive(certificate: CertificateData, from_event_bus: bool = False, **_: Any) -> None:
    """Print the event if it came from the bus. If the service has a database, also run a query."""
    if not from_event_bus:
        return
    queries = 0
    if connection.vendor != "unknown":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        queries = len(connection.queries_log)
    say("arrive", user=certificate.user.id, name=certificate.name, queries=queries)


def write(certificate: CertificateData, **_: Any) -> None:
    """Write a row. The first connection only accepts reads, as after a failover."""
    user, vendor = certificate.user.id, connection.vendor
    connection.ensure_connection()
    if not _written:
        _written.append(user)
        with connection.cursor() as cursor:
            read_only = "SET default_transaction_read_only = on"
            cursor.execute(read_only if vendor == "postgresql" else "SET SESSION TRANSACTION READ ONLY")
    say("tried", user=user)
    PausedReceiver.objects.create(receiver=f"nobody {user}", paused_at=timezone.now())
    say("written", user=user)


_written: list[int] = []
