"""Creates the databases of the test project that resembles the LMS. All databases are on one server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from pytest_django import DjangoDbBlocker

from event_bus_kafka.models import OutboxRecord
from tests.services.database import DatabaseServer
from tests.support.databases import connected

OUTBOX, OUTBOX_APART = "lms", "lms_events"
"""
Names of the databases that contain the outbox. The first database is also the service's database. The second database
contains only the outbox.
"""
MIGRATE = """
from django.conf import settings
from django.core.management import call_command
for alias in settings.DATABASES:
    if alias != "read_replica":
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
"""
_SAVED = {"lms": "courseware_certificate", "lms_apart": "courseware_certificate", "lms_history": "history_change"}
_NAME = re.compile(rb"<([\w/-]+)>")
_READER = {
    "postgresql": """
        do $$ begin create role lms_reader login; exception when duplicate_object then null; end $$;
        grant pg_read_all_data to lms_reader;
        alter role lms_reader set default_transaction_read_only = on;
    """,
    "mysql": "create user if not exists lms_reader@'%'; grant select on lms.* to lms_reader@'%';",
}


@attrs.frozen
class LmsDatabases:
    server: DatabaseServer
    _blocker: DjangoDbBlocker

    @contextmanager
    def created(self) -> Iterator[None]:
        """Create the databases, and a read-only user for the replica. At the end drop the databases and the user."""
        names = (*_SAVED, OUTBOX_APART)
        try:
            for name in names:
                self.server.settings(name)
            self.server.execute(_READER[self.server.vendor])
            yield
        finally:
            for name in names:
                self.server.drop(name)

    def entries(self) -> dict[str, dict[str, Any]]:
        """Return the setting DATABASES of the project."""
        return {
            "default": self.server.settings(OUTBOX),
            "read_replica": self.server.settings(OUTBOX) | {"USER": "lms_reader"},
            "student_module_history": self.server.settings("lms_history"),
        }

    def entries_apart(self) -> dict[str, dict[str, Any]]:
        """Return the setting DATABASES of a project whose outbox has a separate database."""
        return {"default": self.server.settings("lms_apart"), "events": self.server.settings(OUTBOX_APART)}

    def saved(self) -> frozenset[str]:
        """Return the names of the emissions (such as ``wsgi/outbox/atomic``) whose data the project has committed."""
        found: set[str] = set()
        for database, table in _SAVED.items():
            with self._blocker.unblock(), connected(self.server.settings(database)) as connection:
                with connection.cursor() as cursor:
                    cursor.execute(f"select name from {table}")
                    found |= {name for (name,) in cursor.fetchall()}
        return frozenset(found)

    def rows(self) -> Counter[tuple[str, str]]:
        """Return the number of outbox rows for each name of an emission and each name of a database."""
        found: Counter[tuple[str, str]] = Counter()
        for database in (OUTBOX, OUTBOX_APART):
            with self._blocker.unblock(), connected(self.server.settings(database)):
                bodies = OutboxRecord.objects.using("real").values_list("body", flat=True)
                found.update((name_in(bytes(body or b"")), database) for body in bodies)
        return found


def name_in(body: bytes) -> str:
    """Return the name of the emission (such as ``wsgi/outbox/atomic``) from which an encoded event comes."""
    found = _NAME.search(body)
    return found[1].decode() if found else ""
