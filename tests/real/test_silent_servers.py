"""
``event_bus_status``, ``event_trace`` and the search in the admin end although servers accept connections and never
answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid1

import pytest
from django.http import QueryDict
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from event_bus_kafka.admin import whereabouts
from event_bus_kafka.operations.status import look
from tests.services.bus import CREATED
from tests.services.silence import black_hole
from tests.support import neglected
from tests.support.asking import until_all_have_ended
from tests.support.databases import Database
from tests.support.sqlite import on_sqlite
from tests.support.status_command import status
from tests.support.trace_command import trace

pytestmark = [
    pytest.mark.real,
    pytest.mark.parametrize("database", ["postgresql", "mysql"], indirect=True),
]


@pytest.fixture
def service(
    database: Database, tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """Return the settings of a service whose second database, brokers and registry never answer."""
    for server in look.LONGEST:
        monkeypatch.setitem(look.LONGEST, server, 2.0)
    route = {"event_key_field": "certificate.user.id", "enabled": True, "mode": "outbox", "database": "second"}
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"), database.connected("second"):
        with database.server.frozen(), black_hole() as kafka, black_hole() as registry:
            yield {
                "EVENT_BUS_PRODUCER_CONFIG": {CREATED: {"certificates": route}},
                "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": kafka,
                "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{registry}",
            }
        until_all_have_ended()


def test_the_status_and_event_trace_name_silent_servers_and_show_results_of_other_servers(
    service: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_bus_kafka.operations.whereabouts.tables._DATABASE", 2.0)
    monkeypatch.setattr("event_bus_kafka.assembly.whereabouts._REQUEST_TIMEOUT", 1.0)
    neglected.waiting_row(neglected.ago(minutes=6))

    shown = status(service)
    assert "Outbox of second: not known: database second: it did not answer within 2 s" in shown.text
    assert "Outbox of default: 1 wait" in shown.text
    assert shown.refusal.startswith("database second gave no answer; Kafka gave no answer; the schema registry gave")

    with override_settings(**service):
        told = trace(uuid1(), finds=False)
        assert "Not seen: the outbox of database 'second': it did not answer within 2 s.\n" in told
        assert "Not seen: the outbox of database 'default'" not in told
        assert "Not seen: Kafka: BrokerError: " in told

        monkeypatch.setattr("event_bus_kafka.assembly.whereabouts._REQUEST_TIMEOUT", 60.0)
        monkeypatch.setattr(whereabouts, "_LIMIT", 3.0)
        monkeypatch.setattr(
            "event_bus_kafka.operations.whereabouts.search._LAST", 20.0
        )  # closing a client takes a while
        context = whereabouts.answer(QueryDict(f"event_id={uuid1()}"), lambda _: [])
    told = "\n".join(one.line.text for one in context["findings"])
    assert "Not seen: the outbox of database 'second': it did not answer within " in told
    assert "Not seen: Kafka: BrokerError: " in told, "requests to Kafka end in time, so the search shows their errors"
