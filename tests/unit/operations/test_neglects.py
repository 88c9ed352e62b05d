"""Most problems count as neglected after they have lasted for some time, until somebody ends them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from django.test import override_settings

from event_bus_kafka.models import DeadLetter, OutboxRecord
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.in_kafka import neglects as neglects_in_kafka
from event_bus_kafka.operations.status.values import GroupStatus, Unread
from event_bus_kafka.telemetry.state import HeldTopic
from tests.support import neglected
from tests.support.neglected import ago, found
from tests.support.sqlite import on_sqlite

pytestmark = pytest.mark.django_db
GROUP = GroupStatus(group="mail", state="empty", members=0, topics=1, unread=(Unread(topic="grades", lag=3),))


def test_a_service_with_empty_tables_has_no_neglects() -> None:
    assert found() == {}


def test_waiting_rows_are_reported_after_five_minutes_without_a_relay() -> None:
    neglected.waiting_row(ago(minutes=4))
    assert found() == {}
    OutboxRecord.objects.update(created=neglected.milliseconds(ago(minutes=6)))
    one = found()["outbox-waits"]
    assert one.subject == "default"
    assert "6 minutes; no relay is known to run" in one.message
    assert "relay_events --database default" in one.remedy
    assert one.since is not None
    assert one.since.tzinfo is not None


def test_old_rows_of_the_outbox_are_not_reported_while_a_relay_sends() -> None:
    neglected.waiting_row(ago(minutes=6))
    neglected.relay(ago(seconds=5))
    assert found() == {}


def test_a_relay_that_cannot_send_is_reported_with_the_reason() -> None:
    neglected.waiting_row(ago(minutes=6))
    neglected.relay(ago(seconds=5), obstacles=("Kafka is away",))
    assert "the relay a-host:7 cannot send: Kafka is away" in found()["outbox-waits"].message


def test_a_dead_relay_or_a_relay_of_another_database_does_not_count_as_running() -> None:
    neglected.waiting_row(ago(minutes=6))
    neglected.relay(ago(minutes=2))
    neglected.relay(ago(seconds=5), database="archive")
    assert "no relay is known to run" in found()["outbox-waits"].message


def test_a_growing_number_of_dead_letters_is_reported_if_old_and_new_dead_letters_exist() -> None:
    neglected.dead_letter(ago(hours=20), 1)
    neglected.dead_letter(ago(hours=1), 2)
    assert found() == {}, "somebody has a day to look"
    neglected.dead_letter(ago(hours=26), 3)
    one = found()["dead-letters-grow"]
    assert "2 dead letters came within the last day, of mail; the oldest has waited for 26 hours" in one.message
    DeadLetter.objects.filter(offset__in=(1, 2)).delete()
    assert found() == {}, "old ones alone do not grow"


@pytest.mark.parametrize(("retention", "early", "late"), [(90, 82, 84), (4, 2.9, 3.1)])
def test_the_deletion_of_dead_letters_and_parked_rows_is_reported_at_most_a_week_in_advance(
    retention: float, early: float, late: float
) -> None:
    neglected.dead_letter(ago(days=early), 1)
    neglected.parked_row(ago(days=early))
    assert found(retention=retention) == {}
    neglected.dead_letter(ago(days=late), 2)
    neglected.parked_row(ago(days=late))
    near = found(retention=retention)
    assert near.keys() == {"dead-letters-end", "parked-rows-end"}
    assert near["dead-letters-end"].message.startswith("1 dead letter will be deleted, from 20")
    assert near["parked-rows-end"].message.startswith("1 parked row will be deleted, from 20")


def test_no_coming_deletion_is_reported_for_dead_letters_that_never_expire() -> None:
    for days, offset in ((89, 1), (0, 2)):
        neglected.dead_letter(ago(days=days), offset)
    assert found().keys() == {"dead-letters-grow", "dead-letters-end"}
    assert found(letters_expire=False).keys() == {"dead-letters-grow"}


def test_kinds_of_neglect_that_need_heartbeats_are_unknown_without_heartbeats() -> None:
    neglected.waiting_row(ago(minutes=6))
    neglected.consumer(ago(minutes=5))
    told = neglected.neglected(heartbeats=False)
    assert told.neglects == ()
    assert {one.id for one in told.unknown} == {"outbox-waits", "topic-held", "group-without-worker"}
    assert neglected.neglected().unknown == frozenset()


def test_a_topic_is_reported_if_a_running_relay_has_held_it_for_an_hour() -> None:
    held = HeldTopic(topic="grades", seconds=3_500, reason="no right")
    neglected.relay(ago(seconds=1), held_topics=(held,))
    assert found() == {}
    row = neglected.relay(ago(seconds=1), held_topics=(attrs.evolve(held, seconds=3_700),))
    assert found()["topic-held"].subject == "grades"
    assert "no right" in found()["topic-held"].message
    row.delete()
    neglected.relay(ago(minutes=10), held_topics=(attrs.evolve(held, seconds=3_700),))
    assert found() == {}


def test_a_pause_is_reported_after_a_day() -> None:
    neglected.pause(ago(hours=23), "young")
    assert found() == {}
    neglected.pause(ago(hours=25), "old")
    assert found()["receiver-paused"].subject == "old"
    assert "event_bus_resume --receiver old" in found()["receiver-paused"].remedy


@pytest.mark.parametrize(("seconds", "told"), [(3_600, "60 minutes ahead of"), (-20, "20 seconds behind"), (5, "")])
def test_a_clock_is_reported_if_it_differs_by_more_than_ten_seconds_from_the_clock_of_the_database(
    seconds: float, told: str
) -> None:
    with neglected.clock_ahead(seconds):
        messages = [one.message for one in found().values()]
    assert [told in one for one in messages] == [True] * bool(told)


def test_a_group_with_unread_records_is_reported_while_no_worker_of_the_group_runs() -> None:
    neglected.consumer(ago(minutes=5))
    assert "died 5 minutes ago and knew of 2 records" in found()["group-without-worker"].message
    neglected.consumer(ago(seconds=5))
    assert found() == {}


def test_unread_records_of_a_group_without_members_are_reported() -> None:
    (one,) = neglects_in_kafka([GROUP], alive=())
    assert one.kind is catalogue.GROUP_WITHOUT_WORKER
    assert list(neglects_in_kafka([attrs.evolve(GROUP, members=1)], alive=())) == []
    assert list(neglects_in_kafka([attrs.evolve(GROUP, unread=())], alive=())) == []


def test_heartbeats_show_whether_a_group_has_workers_if_brokers_do_not_list_members() -> None:
    unknown = attrs.evolve(GROUP, members=None, state="")
    assert len(list(neglects_in_kafka([unknown], alive=()))) == 1
    assert list(neglects_in_kafka([unknown], alive={"mail"})) == []
    assert list(neglects_in_kafka([unknown], alive=None)) == [], "nobody knows whether one runs"


def test_the_deletion_of_unread_records_is_reported() -> None:
    group = attrs.evolve(GROUP, members=1, unread=(Unread(topic="grades", lag=0, lost=9),))
    (one,) = neglects_in_kafka([group], alive=())
    assert (one.id, one.subject) == ("retention-ends", "mail on grades")
    assert one.message.startswith("9 records were deleted")


def test_neglects_are_reported_in_the_order_of_the_catalogue() -> None:
    neglected.neglect_everything()
    several = neglected.neglected().neglects
    kinds = [kind for kind in catalogue.CATALOGUE if not kind.needs_kafka and kind is not catalogue.CLOCK_OFF]
    assert [one.kind for one in several] == kinds
    assert all(one.since is None or one.since < datetime.now(UTC) for one in several)


def test_neglects_are_found_if_use_tz_is_false(tmp_path: Path) -> None:
    with override_settings(USE_TZ=False, TIME_ZONE="America/New_York"), on_sqlite(tmp_path, "default"):
        neglected.dead_letter(ago(hours=1), 1)
        neglected.dead_letter(ago(hours=20), 2)
        neglected.pause(ago(hours=23))
        assert found() == {}
        neglected.dead_letter(ago(hours=26), 3)
        neglected.pause(ago(hours=25), "old")
        assert found().keys() == {"dead-letters-grow", "receiver-paused"}
        assert "waited for 26 hours" in found()["dead-letters-grow"].message
