"""Receivers that use a database."""

import threading

from django.db import connection, transaction
from openedx_events.learning.data import CertificateData

from tests.projects.certificates.apps import say

_both_hold_a_lock = threading.Barrier(2)


def query(certificate: CertificateData, **_: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    say("query", user=certificate.user.id)


def deadlock(certificate: CertificateData, **_: object) -> None:
    """
    Lock two rows. For a user with an even id, lock them in the opposite order. If the receiver runs for two users at
    once, the database server may abort one of the transactions.
    """
    first, second = sorted((1, 2), reverse=certificate.user.id % 2 == 0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update effects set count = count + 1 where id = %s", [first])
        _both_hold_a_lock.wait(30)
        cursor.execute("update effects set count = count + 1 where id = %s", [second])
    say("deadlock survived", user=certificate.user.id)


def oversize(certificate: CertificateData, **_: object) -> None:
    """Send the database a value that is too large for the server."""
    say("oversize", user=certificate.user.id)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("select repeat('x', 2000000000)")
        else:
            cursor.execute("select %s", ["x" * 100_000_000])
