"""``event_outbox``: what it tells monitoring, and that a plan changes nothing."""

from __future__ import annotations

import json
from io import StringIO
from time import time

import pytest
from django.core.management import CommandError, call_command

from event_bus_kafka.models import OutboxRecord, ParkedRecord

pytestmark = pytest.mark.django_db

ROW = {"shard": 1, "topic": "t", "key": b"k", "body": b"v", "headers": b"", "schema_id": 1, "size": 2}


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("event_outbox", *arguments, stdout=output, no_color=True)
    return output.getvalue()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_outbox_that_nobody_empties_is_an_error_in_each_form(form: list[str]) -> None:
    OutboxRecord.objects.create(**ROW, created=int((time() - 200) * 1000))
    assert "200" in run("status", *form)
    OutboxRecord.objects.update(created=int((time() - 400) * 1000))
    output = StringIO()
    with pytest.raises(CommandError, match="waits for too long") as stalled:
        call_command("event_outbox", "status", *form, stdout=output)
    assert stalled.value.returncode == 1
    assert "400" in output.getvalue()


@pytest.mark.parametrize(("action", "waiting"), [("release", 1), ("discard", 0)])
def test_parked_rows_stay_without_apply(action: str, waiting: int) -> None:
    ParkedRecord.objects.create(**ROW, pk=7, created=1, code="INVALID_RECORD", reason="refused", parked_at=1)
    for arguments in (["7"], ["--all", "--json"], ["--topic", "t"]):
        assert "1" in run(action, *arguments)
        assert ParkedRecord.objects.count() == 1
    assert json.loads(run(action, "7", "--json", "--apply")) == {"rows": 1, "applied": True}
    assert (ParkedRecord.objects.count(), OutboxRecord.objects.count()) == (0, waiting)
