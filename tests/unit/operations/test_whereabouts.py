"""A search for an event keeps its time limit, and its advice names commands for the right database and time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from event_bus_kafka.errors import SchemaRegistryError
from event_bus_kafka.operations.whereabouts.answer import OutboxPlace, Question, Scanned, Whereabouts
from event_bus_kafka.operations.whereabouts.brokers import BrokerSearch
from event_bus_kafka.operations.whereabouts.identifying import KeyCheck
from event_bus_kafka.operations.whereabouts.neighbourhood import Neighbourhood, ServerAccess
from event_bus_kafka.operations.whereabouts.search import _in_time, search
from event_bus_kafka.operations.whereabouts.sentences import sentences
from event_bus_kafka.wire.records import ConsumerRecord

_QUESTION = Question(event_id=UUID("5c3f8a2e-fe6b-11f0-9c1d-0242ac120002"), key=None, seconds=10)
_ROW: dict[str, Any] = {"row": 7, "topic": "grades", "event_type": "", "event_id": "", "since": 0}
_PARKED = _ROW | {"code": "MSG_SIZE_TOO_LARGE", "reason": "too large"}


def _told(**places: Any) -> str:
    nothing = dict.fromkeys(("outbox", "records", "letters", "marks", "scanned", "gone", "unseen"), ())
    answer: dict[str, Any] = {"question": _QUESTION, "event_type": "", "more_records": 0, "read": 1200} | nothing
    return "\n".join(sentences(Whereabouts(**answer | places)))


@pytest.mark.parametrize(("database", "option"), [("default", ""), ("second", " --database second")])
def test_commands_in_the_advice_name_the_database_of_the_row(database: str, option: str) -> None:
    told = _told(outbox=(OutboxPlace(database=database, **_PARKED), OutboxPlace(database=database, **_ROW)))
    assert f"manage.py event_outbox release 7{option} --apply\n" in told
    assert f"To see why: manage.py event_outbox status{option}\n" in told


def test_a_search_does_not_ask_the_registry_again_after_the_registry_has_failed() -> None:
    class Away:
        asked = 0

        def id_of(self, _subject: str, _schema: str, _until: float = 0) -> int:
            raise AssertionError

        def schema_of(self, _schema_id: int) -> str:
            self.asked += 1
            raise SchemaRegistryError("It does not answer.", retriable=True)

    registry = Away()
    check = KeyCheck("a-key", registry)
    key = b"\0\0\0\0\1\x0aa-key"
    record = ConsumerRecord(topic="grades", partition=0, offset=0, timestamp=0, key=key, value=None, headers=())
    assert check.passes(record)
    assert check.passes(record)
    assert registry.asked == 1


@pytest.mark.parametrize(
    ("times", "advice"),
    [((60_000, 120_000), "--since 1970-01-01T00:01:00"), ((60_000, None), "--seconds 40")],
    ids=["all partitions were read in part", "one partition was not read"],
)
def test_the_advice_is_to_continue_where_the_search_ended_or_to_search_longer_if_a_partition_was_not_read(
    times: tuple[int | None, ...], advice: str
) -> None:
    scanned = [
        Scanned(topic="grades", partition=number, start=0, stop=0 if time is None else 5, end=9, last_time=time)
        for number, time in enumerate(times)
    ]
    told = _told(scanned=tuple(scanned))
    assert f"To go on: manage.py event_trace {_QUESTION.event_id} {advice}" in told


_NOBODY = Neighbourhood(routes={}, subscriptions={}, dead_letters=frozenset())


@pytest.fixture
def hanging() -> Iterator[ServerAccess]:
    def hang(*_: Any) -> Any:
        for_ever.wait(600)

    for_ever = threading.Event()
    yield ServerAccess(scanner=hang, groups=hang, registry=hang)
    for_ever.set()


@pytest.mark.django_db
def test_a_search_waits_for_a_hanging_client_only_until_the_time_limit(hanging: ServerAccess) -> None:
    answer = search(Question(event_id=uuid4(), limit=0.5), _NOBODY, hanging)
    (unseen,) = [one for one in answer.unseen if one.what == "Kafka"]
    assert unseen.why.startswith("it did not answer within 0.")


def test_a_search_reports_earlier_results_if_a_client_hangs(hanging: ServerAccess) -> None:
    question = Question(event_id=uuid4(), limit=0.1)
    kafka = BrokerSearch(question, _NOBODY, hanging, {})
    kafka.found.read = 7
    kafka.found.not_seen("the schema registry", SchemaRegistryError("It is away.", retriable=True))
    found = _in_time(question, kafka, ())
    assert found.read == 7
    assert [one.what for one in found.unseen] == ["the schema registry", "Kafka"]


def test_each_part_of_a_search_gets_a_share_of_the_time_limit() -> None:
    question = Question(key="7", limit=100.0)
    assert 20 < question.left(60, 0.3) <= 30
    assert question.left(10, 0.3) == 10
    assert Question(key="7", limit=0.0).left(10, 0.3) == 0
    assert Question(key="7").left(10, 0.3) == 10
