"""Database errors are logged with their error number, and without the values that the error texts quote (case S13)."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError

from event_bus_kafka.telemetry.error_text import database_error_text


class PsycopgError(Exception):
    sqlstate = "42501"


class TriggerError(Exception):
    sqlstate = "P0001"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            caused(
                OperationalError(),
                Exception(1142, "DELETE denied to user 'relay'@'host' for table 'event_bus_kafka_outboxrecord'"),
            ),
            "OperationalError 1142 DELETE denied to user '…'@'…' for table 'event_bus_kafka_outboxrecord'",
        ),
        (
            caused(ProgrammingError(), PsycopgError("permission denied for table t\nDETAIL: Key (user)=(bob) is")),
            "ProgrammingError 42501 permission denied for table t",
        ),
        (
            caused(IntegrityError(), Exception(1062, "Duplicate entry 'bob@example.org' for key \"PRIMARY\"")),
            "IntegrityError 1062 Duplicate entry '…' for key '…'",
        ),
        (caused(OperationalError(), TriggerError("bob is audited")), "OperationalError P0001"),
        (caused(OperationalError(), Exception(1644, "bob is audited")), "OperationalError 1644"),
        (OperationalError("bob@example.org"), "OperationalError"),
        (OperationalError(), "OperationalError"),
    ],
)
def test_s13_the_text_of_a_database_error_contains_the_error_number_and_no_values(error: Exception, text: str) -> None:
    assert database_error_text(error) == text
