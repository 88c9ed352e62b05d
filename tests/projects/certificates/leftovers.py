"""
A receiver that changes the state of its thread and of all configured databases, and a receiver that prints this state.
"""

import os
from contextvars import ContextVar

from django.db import connections, transaction
from django.utils import timezone, translation
from edx_django_utils.cache import RequestCache
from openedx_events.learning.data import CertificateData

from tests.projects.certificates.apps import say

_variable: ContextVar[str] = ContextVar("_variable", default="clean")
_BACKEND = {"postgresql": "select pg_backend_pid()", "mysql": "select connection_id()"}


def leave_behind(certificate: CertificateData, **_: object) -> None:
    """
    For a user with an odd number, change settings of the thread, and bring each database into the state that the
    variable LEAVES names.
    """
    leaves = os.environ["LEAVES"]
    say("left", user=certificate.user.id)
    if certificate.user.id % 2 == 0:
        return
    translation.activate("eo")
    timezone.activate("Asia/Tokyo")
    RequestCache("leftovers").set("user", certificate.user.id)
    _variable.set("dirty")
    for alias in connections:
        if leaves == "transaction":
            transaction.atomic(using=alias).__enter__()
        elif leaves == "autocommit off":
            transaction.set_autocommit(False, using=alias)
        with connections[alias].cursor() as cursor:
            cursor.execute("insert into leftovers values (%s)", [certificate.user.id])
        if leaves == "broken connection":
            connections[alias].connection.close()


def look(certificate: CertificateData, **_: object) -> None:
    """Print the state of this thread. This receiver runs before ``leave_behind`` for each event."""
    found = {}
    for alias in connections:
        connection = connections[alias]
        open_before = connection.in_atomic_block, connection.connection is not None and not connection.get_autocommit()
        with connection.cursor() as cursor:
            cursor.execute(_BACKEND[connection.vendor])
            found[alias] = {"backend": cursor.fetchone()[0], "open": any(open_before)}
    say(
        "look",
        user=certificate.user.id,
        language=translation.get_language(),
        time_zone=timezone.get_current_timezone_name(),
        cached=RequestCache("leftovers").get_cached_response("user").is_found,
        variable=_variable.get(),
        databases=found,
    )
