"""Dead letters, marks and pauses survive an upgrade, in which tables are migrated and workers of two versions run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dead_letters.retention import complete_entries, purge_entries
from event_bus_kafka.dead_letters.table_store import TableStore
from event_bus_kafka.errors import DeadLetterStoreFailed
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, InboxMark, PausedReceiver, to_json
from event_bus_kafka.sandbox import Sandbox
from tests.support.databases import Database, on_mysql_too
from tests.support.letters import FAILED_AT, letter_of, record_of, run, states

pytestmark = [pytest.mark.real, on_mysql_too]

OLD, HERE, OTHER = "app.receivers.gone", f"{__name__}.here", f"{__name__}.other"

seen: list[str] = []


def here(**_: Any) -> None:
    seen.append("here")


def other(**_: Any) -> None:
    seen.append("other")


@pytest.fixture(autouse=True)
def service(database: Database, sandbox: Sandbox) -> Iterator[None]:
    seen.clear()
    CERTIFICATE_CREATED.connect(here)
    CERTIFICATE_CREATED.connect(other)
    with (
        override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url),
        override_settings(EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9"),
        database.connected("default"),
    ):
        yield
    CERTIFICATE_CREATED.disconnect(here)
    CERTIFICATE_CREATED.disconnect(other)


class VersionBefore:
    """Writes dead letters with the columns and SQL statements of the older version."""

    def __init__(self) -> None:
        loader = MigrationExecutor(connections["default"]).loader
        state = loader.project_state([("event_bus_kafka", "0008_outbox_topics")])
        self.letters: Any = state.apps.get_model("event_bus_kafka", "DeadLetter").objects

    def store(self, letter: Letter) -> Any:
        record = letter.record
        contents = {
            "timestamp": record.timestamp,
            "key": record.key,
            "value": record.value,
            "headers": to_json(record.headers),
            "last_failed_at": letter.failed_at,
            "event_type": letter.event_type,
            "failures": [{"receiver": one.receiver, "error": one.error, "place": ""} for one in letter.failures],
            "attempts": letter.attempts,
        }
        row, is_new = self.letters.get_or_create(
            group=letter.group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_id=letter.event_id,
            defaults=contents | {"first_failed_at": letter.failed_at},
        )
        if not is_new:
            for name, content in contents.items():
                setattr(row, name, content)
            row.save()
        return row

    def replay(self, pk: int, left: list[dict[str, str]]) -> None:
        row = self.letters.get(pk=pk)
        assert self.letters.filter(pk=pk, attempts=row.attempts).update(attempts=row.attempts + 1)
        if left:
            self.letters.filter(pk=pk).update(failures=left, last_failed_at=datetime.now(UTC))
        else:
            self.letters.filter(pk=pk).delete()


def migrate(version: str = "") -> None:
    call_command("migrate", "event_bus_kafka", *filter(None, [version]), verbosity=0)


def letter(offset: int, *receivers: str, **changes: Any) -> Letter:
    return letter_of(record_of(7, offset=offset), *receivers, **changes)


def test_letters_can_be_stored_replayed_and_discarded_by_the_new_version_before_the_migration() -> None:
    migrate("0008")
    before = VersionBefore()
    first, second = before.store(letter(0, OLD)), before.store(letter(1, HERE, OTHER))
    TableStore().store(letter(2, HERE))
    TableStore().store(letter(2, HERE, failed_at=FAILED_AT + timedelta(hours=1)))
    assert DeadLetter.objects.keeps_entries() is False
    assert run("list").count("prod-certificates:0:") == 3
    assert "SHA" not in run("show", first.pk)
    assert run("list", "--settled") == "No settled entries.\n"
    run("replay", second.pk, "--apply")
    assert seen == ["here", "other"]
    run("replay", first.pk, "--receiver", HERE, "--apply")
    assert "Deleted 1 dead letters." in run("discard", "--all", "--apply")
    assert purge_entries(0) == complete_entries() == 0


def test_no_part_of_a_letter_is_stored_if_the_old_tables_refuse_the_letter() -> None:
    migrate("0008")
    refused = letter_of(record_of(7, headers=(("name", None),) * 3), "x" * 300)
    object.__setattr__(refused, "event_id", "x" * 40)
    with pytest.raises(DeadLetterStoreFailed):
        TableStore().store(refused)
    assert DeadLetter.objects.count() == 0


def test_after_the_migration_the_new_version_reads_old_letters_and_the_old_version_can_store_letters() -> None:
    migrate("0008")
    before = VersionBefore()
    InboxMark.objects.mark(HERE, uuid4())
    PausedReceiver.objects.pause(OTHER, at=FAILED_AT)
    rows = [before.store(letter(offset, OLD, HERE)) for offset in range(4)]
    migrate()
    assert (InboxMark.objects.count(), set(PausedReceiver.objects.names())) == (1, {OTHER})
    assert run("list").count(f"{HERE}: ValueError") == 4

    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", rows[0].pk, "--apply")
    assert (seen, states()) == (["here"], {"gone": "failed", "here": "succeeded"})
    before.store(
        letter(0, HERE, failed_at=FAILED_AT + timedelta(hours=1))
    )  # a worker of the old version stores the record again
    assert run("show", rows[0].pk).count("ValueError") == 1
    before.replay(rows[0].pk, [])
    assert DeadLetter.objects.count() == 3

    before.store(letter(9, HERE))  # the old version writes into the migrated table
    before.replay(rows[1].pk, [{"receiver": OLD, "error": "KeyError", "place": ""}])
    assert complete_entries() == 4
    assert DeadLetterEntry.objects.filter(letter=rows[1].pk).get().error == "KeyError"
    run("replay", rows[1].pk, "--receiver", OTHER, "--apply")
    assert seen == ["here", "other"]
    TableStore().store(letter(2, OTHER, failed_at=FAILED_AT + timedelta(hours=1)))
    assert sorted(DeadLetter.objects.get(pk=rows[2].pk).failed_receivers) == sorted([OLD, HERE, OTHER])
    before.replay(rows[2].pk, [])
    assert purge_entries(-1) > 0
    assert {entry.letter_id for entry in DeadLetterEntry.objects.all()} == set(
        DeadLetter.objects.values_list("pk", flat=True)
    )


def test_reverting_the_migration_keeps_the_letters() -> None:
    TableStore().store(letter(0, HERE))
    migrate("0008")
    before = VersionBefore()
    row = before.letters.get()
    assert [one["receiver"] for one in row.failures] == [HERE]
    before.replay(row.pk, row.failures)
    migrate()
    run("replay", row.pk, "--apply")
    assert seen == ["here"]
