"""``event_outbox`` prints the state of the outbox, and changes parked rows only with ``--apply``."""

from __future__ import annotations

import json
from io import StringIO
from time import time

import pytest
from django.core.management import CommandError, call_command

from event_bus_kafka.models import OutboxRecord, ParkedRecord
from event_bus_kafka.wire.headers import pack

pytestmark = pytest.mark.django_db

ROW = {"shard": 1, "topic": "t", "key": b"k", "body": b"v", "headers": b"", "schema_id": 1, "size": 2}


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("event_outbox", *arguments, stdout=output, no_color=True)
    return output.getvalue()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_status_subcommand_fails_when_the_oldest_row_has_waited_too_long(form: list[str]) -> None:
    OutboxRecord.objects.create(**ROW, created=int((time() - 200) * 1000))
    assert "200" in run("status", *form)
    OutboxRecord.objects.update(created=int((time() - 400) * 1000))
    output = StringIO()
    with pytest.raises(CommandError, match="waits for too long") as stalled:
        call_command("event_outbox", "status", *form, stdout=output)
    assert stalled.value.returncode == 1
    assert "400" in output.getvalue()


@pytest.mark.parametrize(("headers", "shown"), [(pack((("ce_type", b"a.type"),)), "a.type"), (b"text", "unknown")])
def test_a_parked_row_without_a_schema_is_listed_with_the_type_from_its_headers(headers: bytes, shown: str) -> None:
    row = ROW | {"headers": headers}
    ParkedRecord.objects.create(**row, pk=7, created=1, code="_NO_SCHEMA", reason="missing", parked_at=1)
    (parked,) = json.loads(run("parked", "--json"))
    assert parked["event_type"] == shown


@pytest.mark.parametrize(("action", "waiting"), [("release", 1), ("discard", 0)])
def test_parked_rows_are_released_or_discarded_only_with_the_option_apply(action: str, waiting: int) -> None:
    ParkedRecord.objects.create(**ROW, pk=7, created=1, code="INVALID_RECORD", reason="refused", parked_at=1)
    for arguments in (["7"], ["--all", "--json"], ["--topic", "t"]):
        assert "1" in run(action, *arguments)
        assert ParkedRecord.objects.count() == 1
    assert json.loads(run(action, "7", "--json", "--apply")) == {"rows": 1, "applied": True}
    assert (ParkedRecord.objects.count(), OutboxRecord.objects.count()) == (0, waiting)
