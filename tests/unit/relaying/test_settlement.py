"""
A relay continues if rows cannot be removed, parked or read. The tests use the sandbox and SQLite (cases S13 and S14).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import Error, connection

from event_bus_kafka.errors import WorkerFailed
from event_bus_kafka.models import OutboxRecord, ParkedRecord, WriterSchema
from event_bus_kafka.relaying import claims
from event_bus_kafka.telemetry.events import RelayInterrupted, RowParked, TopicHeld
from tests.support.outbox_service import until
from tests.support.relaying import Relaying
from tests.support.watching import watched

OUTBOX, PARKED = OutboxRecord._meta.db_table, ParkedRecord._meta.db_table


@contextmanager
def refusing(change: str, table: str, which: str = "1", how: str = "ABORT, 'rows are audited'") -> Iterator[None]:
    """
    While the block runs, a trigger refuses each ``change`` of a row for which the SQL condition ``which`` holds.
    ``how`` contains the arguments of SQLite's RAISE; IGNORE drops the change without an error.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TRIGGER refuses BEFORE {change} ON {table} WHEN {which} BEGIN SELECT RAISE({how}); END")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuses")


def drain(relaying: Relaying) -> None:
    until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)


def test_s13_a_topic_is_held_and_nothing_is_sent_again_while_rows_cannot_be_removed(relaying: Relaying) -> None:
    sent = relaying.append(*["a"] * 20)
    with refusing("DELETE", OUTBOX), watched(RelayInterrupted, TopicHeld) as seen:
        for _ in range(10):
            relaying.relay.step()
        later = relaying.append("a")
        assert relaying.arrived("a", 21, seconds=1) == sent
    assert [type(one) for one in seen] == [RelayInterrupted] + [TopicHeld] * 9
    drain(relaying)
    assert relaying.arrived("a", 40) == sent + sent[1:] + later


def test_s13_the_latest_event_of_a_key_arrives_last_if_two_relays_cannot_remove_rows(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second relay sends fewer rows of the key than the first relay."""
    sent = relaying.append(*["a"] * 20)
    other = Relaying(relaying.sandbox)
    with refusing("DELETE", OUTBOX):
        relaying.relay.step()
        monkeypatch.setattr(claims, "_BATCH_ROWS", 10)
        other.relay.step()
        monkeypatch.undo()
    drain(relaying)
    other.relay.stop(timeout=1)
    assert relaying.arrived("a", 49, seconds=2) == sent + sent[:10] + sent[1:]


@pytest.mark.parametrize(("change", "table"), [("DELETE", OUTBOX), ("INSERT", PARKED)])
def test_s13_a_row_that_is_never_removed_delays_only_rows_of_the_same_topic(
    relaying: Relaying, change: str, table: str
) -> None:
    first, others = relaying.append(*["a"] * 30), relaying.append(*["b"] * 30)
    row = OutboxRecord.objects.all()[20]
    if table == PARKED:
        OutboxRecord.objects.filter(pk=row.pk).update(headers=b"\x00\xff")
    with refusing(change, table, f"{'NEW' if table == PARKED else 'OLD'}.id = {row.pk}"):
        until(lambda: not OutboxRecord.objects.filter(topic="b").exists(), step=relaying.relay.step)
        others += relaying.append("b")
        until(lambda: not OutboxRecord.objects.filter(topic="b").exists(), step=relaying.relay.step)
        for _ in range(20):
            relaying.relay.step()
        assert OutboxRecord.objects.earliest("pk").pk == row.pk
    drain(relaying)
    for topic, sent in (("a", first if table == OUTBOX else first[:20] + first[21:]), ("b", others)):
        arrived = relaying.arrived(topic, 3 * len(sent), seconds=1)
        assert list(dict.fromkeys(arrived)) == sent
        assert arrived[-1] == sent[-1]
        assert max(Counter(arrived).values()) <= (3 if topic == "a" else 2), (
            "rows behind the row may be sent once more than the rows of the other topic"
        )


@pytest.mark.parametrize("how", ["IGNORE", "ABORT, 'rows are audited'"])
def test_s13_a_row_is_sent_at_most_three_times_if_its_removal_fails(relaying: Relaying, how: str) -> None:
    """IGNORE prevents the deletion without an error, as a trigger or row security can do in PostgreSQL."""
    sent = relaying.append(*["a"] * 30)
    row = OutboxRecord.objects.all()[20]
    with refusing("DELETE", OUTBOX, f"OLD.id = {row.pk}", how), watched(TopicHeld) as seen:
        for _ in range(20):
            relaying.relay.step()
        assert isinstance(seen[-1].error, Error)
    drain(relaying)
    arrived = relaying.arrived("a", 90, seconds=1)
    assert list(dict.fromkeys(arrived)) == sent
    assert arrived[-1] == sent[-1]
    assert max(Counter(arrived).values()) <= 3


def test_s13_a_row_is_not_lost_if_the_database_silently_fails_to_park_the_row(relaying: Relaying) -> None:
    relaying.append("a", "a")
    OutboxRecord.objects.filter(pk=OutboxRecord.objects.earliest("pk").pk).update(headers=b"\x00\xff")
    with refusing("INSERT", PARKED, how="IGNORE"), watched(RowParked) as seen:
        for _ in range(10):
            relaying.relay.step()
        assert (OutboxRecord.objects.count(), ParkedRecord.objects.count()) == (1, 0)
        assert not seen
    drain(relaying)
    assert ParkedRecord.objects.count() == 1


def test_s13_no_row_is_sent_twice_if_one_row_cannot_be_parked(relaying: Relaying) -> None:
    sent = relaying.append("a", "a", "a")
    OutboxRecord.objects.filter(pk=OutboxRecord.objects.earliest("pk").pk).update(headers=b"\x00\xff")
    with refusing("INSERT", PARKED):
        for _ in range(10):
            relaying.relay.step()
    drain(relaying)
    assert relaying.arrived("a", 3, seconds=2) == sent[1:]
    assert ParkedRecord.objects.count() == 1


def test_s13_a_new_row_with_the_id_of_a_removed_row_is_sent(relaying: Relaying) -> None:
    """A row was sent, its removal failed, and a restored database lacks the row. A new row gets the same id."""
    sent = relaying.append("a")
    row = OutboxRecord.objects.get()
    with refusing("DELETE", OUTBOX):
        relaying.relay.step()
    OutboxRecord.objects.all().delete()
    later = relaying.append("a")
    OutboxRecord.objects.update(id=row.pk)
    drain(relaying)
    assert relaying.arrived("a", 2) == sent + later


@pytest.mark.parametrize("headers", [b"", b"\x00", b"\x00\xff", b"\x00\x015", b"\x00\x03[1]\x00\x00\x00\x00", b"text"])
def test_s14_a_row_with_unreadable_headers_is_parked_and_other_rows_are_sent(
    relaying: Relaying, headers: bytes
) -> None:
    sent = relaying.append("a", "a", "b")
    OutboxRecord.objects.filter(pk=OutboxRecord.objects.earliest("pk").pk).update(headers=headers)
    drain(relaying)
    assert relaying.arrived("a", 1) + relaying.arrived("b", 1) == sent[1:]
    (parked,) = ParkedRecord.objects.all()
    assert parked.code in ("_UNREADABLE_ROW", "_INVALID_ARG")
    assert "Error" in parked.reason


def test_s14_a_row_with_an_invalid_topic_name_is_parked(relaying: Relaying) -> None:
    sent = relaying.append("a", "a")
    OutboxRecord.objects.filter(pk=OutboxRecord.objects.earliest("pk").pk).update(topic="a\0")
    drain(relaying)
    assert relaying.arrived("a", 1) == sent[1:]
    assert [row.code for row in ParkedRecord.objects.all()] == ["_INVALID_ARG"]


def test_s14_a_row_with_the_id_of_an_earlier_parked_row_is_parked(relaying: Relaying) -> None:
    for parked in (1, 2, 3):
        relaying.append("a")
        OutboxRecord.objects.update(id=1)
        WriterSchema.objects.all().delete()
        with watched(RowParked) as seen:
            relaying.relay.step()
        assert ParkedRecord.objects.filter(pk=seen[0].row).exists()
        assert (OutboxRecord.objects.count(), ParkedRecord.objects.count()) == (0, parked)
        relaying.forget_schemas()
    assert ParkedRecord.objects.all().release() == 3
    assert OutboxRecord.objects.count() == 3


def test_s14_a_relay_fails_with_exit_code_1_if_the_client_refuses_an_option(relaying: Relaying) -> None:
    relaying.options["no.such.option"] = 1
    relaying.renew()
    with pytest.raises(WorkerFailed, match=r"no\.such\.option") as ended:
        relaying.relay.step()
    assert ended.value.exit_code == 1
