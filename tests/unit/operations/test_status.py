"""
The status reports unreachable servers and shows all other results, and no server delays it for long. The tests use no
real servers.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

import event_bus_kafka
from event_bus_kafka.kafka.cluster.overview import Cluster
from event_bus_kafka.management.status_text import WIDTH
from event_bus_kafka.models import HistoryRow
from event_bus_kafka.models.history import MINUTE, Line, Sums
from event_bus_kafka.operations.neglects.catalogue import CATALOGUE as NEGLECTS
from event_bus_kafka.operations.neglects.catalogue import OwnTables
from event_bus_kafka.operations.status import check_of_workers, findings, look
from event_bus_kafka.operations.status.asking import Looks
from event_bus_kafka.operations.status.look import StatusServers
from event_bus_kafka.operations.status.values import Finding, OwnBus
from event_bus_kafka.operations.workers import workers
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import CREATED, SandboxBus
from tests.support import neglected
from tests.support.asking import until_all_have_ended
from tests.support.databases import connected
from tests.support.sqlite import on_sqlite
from tests.support.states import consumer_state
from tests.support.status_command import checked, status, told

_NOWHERE = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def database(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        yield


@pytest.fixture
def settings_of_sandbox(sandbox: Sandbox) -> dict[str, Any]:
    return SandboxBus(sandbox).settings(EVENT_BUS_KAFKA_SUBSCRIPTIONS={"mail": ["nowhere"]})


def test_the_status_of_the_sandbox_shows_the_lag_and_the_workers_that_sent_heartbeats(
    settings_of_sandbox: dict[str, Any], sandbox: Sandbox
) -> None:
    bus = SandboxBus(sandbox)
    settings = settings_of_sandbox | {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {"unread": ["status-unit"]}}
    bus.create_topic("status-unit", 1)
    before = bus.end_of("status-unit")
    bus.produce("status-unit", value=b"value", headers={})
    bus.commit("unread", "status-unit", before)
    shown = told(settings, "--check")
    assert shown.findings.keys() == {("group-without-worker", "unread")}
    (group,) = shown.json["kafka"]["groups"]
    assert (group["members"], [one["lag"] for one in group["unread"]]) == (None, [1])
    idle = consumer_state(group="unread", partitions=())
    neglected.consumer(neglected.ago(seconds=1), version=event_bus_kafka.__version__, group="unread", state=idle)
    assert checked(settings) == {}


def test_the_status_shows_neglects_and_numbers_of_rows_and_the_counts_of_the_last_hour(
    settings_of_sandbox: dict[str, Any],
) -> None:
    neglected.neglect_everything()
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for minutes, count in ((2, 3), (10, 6), (90, 100)):
        line = Line(service="credentials", event_type="a", receiver="", outcome="done")
        begins = round((now - timedelta(minutes=minutes)).timestamp() * 1000)
        HistoryRow.objects.add(line, Sums(count=count, seconds=1.0, longest=1.0), span=MINUTE, begins=begins)
    shown = status(settings_of_sandbox)
    assert shown.refusal == "", "what is neglected is no failure of a status"
    assert "Outbox of default: 1 wait, the oldest for 6 minutes; 1 parked" in shown.text
    assert "Dead letters: 2, of " in shown.text
    assert "Paused receivers (1)" in shown.text
    assert "Workers and relays (2; 0 have stopped)" in shown.text
    assert "! topic-held: grades" in shown.text
    done = next(line for line in shown.text.splitlines() if line.startswith("  done"))
    assert done.endswith(" 9")
    assert done.count("█") == 1
    assert max(map(len, shown.text.splitlines())) <= WIDTH
    assert {one["id"] for one in told(settings_of_sandbox).json["neglects"]} >= {"outbox-waits", "topic-held"}


def test_a_neglect_is_a_finding_with_the_option_check(settings_of_sandbox: dict[str, Any]) -> None:
    neglected.pause(neglected.ago(days=2))
    shown = status(settings_of_sandbox | {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {}}, "--check")
    assert shown.refusal == "1 finding: see above."
    assert "→ Mend it, then: manage.py event_bus_resume --receiver app.receivers.grade --apply" in shown.text


def test_a_running_worker_is_a_finding_if_its_version_differs_from_the_version_of_the_command(
    settings_of_sandbox: dict[str, Any],
) -> None:
    neglected.consumer(neglected.ago(seconds=1), version="0.0.9")
    neglected.consumer(neglected.ago(days=0.5), version="0.0.8", stopped=True)
    found = checked(settings_of_sandbox)
    assert found["versions-apart", "consumer a-host:7"] == f"It runs 0.0.9, this command {event_bus_kafka.__version__}."
    assert sum(kind == "versions-apart" for kind, _ in found) == 1


def test_an_unmigrated_table_is_a_finding_and_its_part_of_the_status_is_omitted(
    settings_of_sandbox: dict[str, Any],
) -> None:
    call_command("migrate", "event_bus_kafka", "0009", verbosity=0)
    found = checked(settings_of_sandbox)
    assert "0010_heartbeats_and_history" in found["tables-unmigrated", "database default"]
    assert "Last hour" not in status(settings_of_sandbox).text


def test_the_status_shows_neglects_from_the_database_while_kafka_and_registry_are_unreachable() -> None:
    neglected.pause(neglected.ago(days=2))
    settings = {
        "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": _NOWHERE,
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{_NOWHERE}",
    }
    shown = status(settings)
    assert shown.refusal == "Kafka gave no answer; the schema registry gave no answer: see above."
    assert "No answer: Kafka" in shown.text
    assert "! receiver-paused: app.receivers.grade" in shown.text


def test_the_status_names_the_missing_setting_of_a_server() -> None:
    shown = status({"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": None})
    assert "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set" in shown.text


def test_the_status_shows_consumer_groups_while_the_database_is_unreachable(
    settings_of_sandbox: dict[str, Any],
) -> None:
    away = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}
    with connected(away, "default"):
        shown = status(settings_of_sandbox)
    assert shown.refusal == "database default gave no answer: see above."
    assert "Groups (1)" in shown.text


def test_everything_in_an_unreachable_database_is_shown_as_not_known(
    settings_of_sandbox: dict[str, Any],
) -> None:
    away = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}
    with connected(away, "default"):
        shown, told_of = status(settings_of_sandbox), told(settings_of_sandbox, "--check")
    for what in ("Workers and relays", "Outbox of default", "Dead letters", "Paused receivers", "Last hour"):
        assert f"{what}: not known: database default: OperationalError: unable to open" in shown.text
    assert "Neglected: nothing of what is known" in shown.text
    tables = told_of.json["tables"]
    names = ("workers", "dead_letters", "paused", "last_hour")
    assert [tables[name] for name in names] == [None] * 4
    assert tables["not_known"].keys() == {*names, "rows of default"}
    assert tables["outboxes"] == [{"database": "default", "rows": None, "oldest_seconds": None, "parked": None}]
    assert "receiver-paused" in told_of.json["neglects_not_known"]
    (finding,) = [one for one in told_of.json["findings"] if one["id"] == "unanswered"]
    assert finding["subject"] == "database default"
    assert "manage.py check --database" in finding["remedy"]


def test_the_status_shows_other_databases_while_one_database_is_unreachable(
    settings_of_sandbox: dict[str, Any],
) -> None:
    route = {"event_key_field": "certificate.user.id", "enabled": True, "mode": "outbox", "database": "away"}
    settings = settings_of_sandbox | {"EVENT_BUS_PRODUCER_CONFIG": {CREATED: {"certificates": route}}}
    neglected.waiting_row(neglected.ago(minutes=6))
    neglected.pause(neglected.ago(days=2))
    away = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all"}
    with connected(away, "away"):
        shown = status(settings)
        told_of = told(settings)
    assert shown.refusal == "database away gave no answer: see above."
    assert "Outbox of default: 1 wait" in shown.text
    assert "Outbox of away: not known: database away: OperationalError" in shown.text
    assert "Paused receivers (1)" in shown.text
    assert {one["id"] for one in told_of.json["neglects"]} == {"outbox-waits", "receiver-paused"}
    assert told_of.json["neglects_not_known"] == ["outbox-waits", "parked-rows-end"]


def test_the_status_shows_workers_and_relays_as_not_known_without_heartbeats(
    settings_of_sandbox: dict[str, Any],
) -> None:
    neglected.waiting_row(neglected.ago(minutes=6))
    neglected.consumer(neglected.ago(minutes=5))
    settings = settings_of_sandbox | {"EVENT_BUS_KAFKA_HEARTBEAT": 0}
    shown = status(settings)
    assert "Workers and relays: not known: EVENT_BUS_KAFKA_HEARTBEAT = 0" in shown.text
    assert "Neglected: nothing of what is known" in shown.text
    told_of = told(settings)
    assert told_of.json["tables"]["workers"] is None
    assert told_of.json["neglects_not_known"] == ["outbox-waits", "topic-held", "group-without-worker"]
    assert told_of.refusal == "", "a setting is no server that is silent"


def test_the_coming_deletion_of_dead_letters_is_reported_only_if_the_database_stores_them(
    settings_of_sandbox: dict[str, Any],
) -> None:
    neglected.dead_letter(neglected.ago(days=89), 1)
    for choice, is_told in (
        ("auto", True),
        ("database", True),
        ("topic", False),
        ("event_bus_kafka.dead_letters.table_store.TableStore", True),
        ("tests.unit.operations.test_status.OwnStore", False),
    ):
        shown = told(settings_of_sandbox | {"EVENT_BUS_KAFKA_DEAD_LETTERS": choice})
        assert ("dead-letters-end" in {one["id"] for one in shown.json["neglects"]}) == is_told, choice


class OwnStore:
    """A store of dead letters that the service defines."""

    def store(self, letter: object) -> None:
        """Ignore the letter."""


def test_a_failed_check_of_topics_is_reported_if_no_controller_exists(
    settings_of_sandbox: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A cluster has no controller while a new controller replaces the old controller. In this test the brokers of the
    sandbox are treated as real brokers.
    """
    monkeypatch.setattr(Cluster, "is_sandbox", property(lambda _: False))
    monkeypatch.setattr(look, "_NO_CONTROLLER", "there is none")
    settings = settings_of_sandbox | {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {}}
    shown = told(settings, "--check")
    assert "the check of topics gave no answer" in shown.refusal
    assert shown.findings["unanswered", "the check of topics"] == "there is none"


def test_a_server_that_hangs_is_reported_after_its_time_limit_and_is_not_asked_a_second_time() -> None:
    def silent() -> Any:
        asked.append(1)
        for_ever.wait(600)

    for_ever, asked = threading.Event(), list[int]()
    own = OwnBus(sent=frozenset(), groups={}, outboxes=("default",), tables=OwnTables(retention=90), version="0.1.0")
    servers = StatusServers(overview=silent, subjects=silent, wanted=list, schemas=list)
    longest, last = {look.KAFKA: 0.05, look.REGISTRY: 0.05, look.TABLES: 60}, Looks()
    found = look.status(own, servers, last, check=False, longest=longest)
    again = look.status(own, servers, last, check=False, longest=longest)
    for_ever.set()
    assert [one.reason for one in found.unanswered] == ["it did not answer within 0.05 s"] * 2
    assert found.tables.not_known == {}
    assert again.unanswered == found.unanswered
    until_all_have_ended()
    assert len(asked) == 2, "a server that hangs is not asked a second time"


def test_an_unexpected_exception_is_logged_and_reported_as_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise KeyError(data)

    data = str(b"private", "ascii")

    own = OwnBus(sent=frozenset(), groups={}, outboxes=("default",), tables=OwnTables(retention=90), version="0.1.0")
    servers = StatusServers(overview=broken, subjects=broken, wanted=list, schemas=list)
    found = look.status(own, servers, {}, check=False)
    assert [(one.reason, one.is_fault) for one in found.unanswered] == [("KeyError: see the log", True)] * 2
    assert "in broken" in caplog.text
    assert "private" not in caplog.text


def test_ctrl_c_interrupts_the_status_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("It went on.")

    monkeypatch.setattr(StatusServers, "__init__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        status({})


def test_the_most_severe_finding_comes_first_and_each_kind_of_finding_has_a_severity() -> None:
    kinds = [*(one.id for one in findings.CATALOGUE), *(one.id for one in NEGLECTS)]
    assert sorted(kinds) == sorted(findings.BY_SEVERITY)
    found = [Finding(id=name, subject="", message="", remedy="") for name in ("schema-missing", "right-missing")]
    assert [one.id for one in findings.by_severity(found)] == ["right-missing", "schema-missing"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"full_because": "t:0:8"}, "It waits for t:0:8, sent 2 seconds ago; receiver: app.receivers.grade."),
        ({"full_because": "", "lag_age": 301.0, "attempts": 2}, ""),
        ({"full_because": "", "lag_age": 9.0, "attempts": 3}, ""),
        (
            {"full_because": "", "lag_age": 301.0, "attempts": 3, "receivers": ("app.b",)},
            "It waits for prod-certificates:0:8, sent 5 minutes ago, which has failed 3 times; "
            "receiver: app.receivers.grade, app.b.",
        ),
    ],
)
def test_a_partition_that_one_record_blocks_is_a_finding(changes: dict[str, Any], told: str) -> None:
    (partition,) = consumer_state().partitions
    state = consumer_state(partitions=(attrs.evolve(partition, **changes),))
    neglected.consumer(neglected.ago(seconds=1), state=state)
    found = [(one.id, one.subject, one.message) for one in check_of_workers.stuck(workers())]
    worker = " Worker: a-host:7."
    assert found == [("partition-stuck", "mail on prod-certificates[0]", told + worker)] * bool(told)


def test_a_group_without_a_worker_is_a_finding_even_if_its_topic_is_empty(
    settings_of_sandbox: dict[str, Any], sandbox: Sandbox
) -> None:
    bus = SandboxBus(sandbox)
    bus.create_topic("status-idle", 1)
    bus.commit("idle", "status-idle", bus.end_of("status-idle"))
    settings = settings_of_sandbox | {"EVENT_BUS_KAFKA_SUBSCRIPTIONS": {"idle": ["status-idle"]}}
    assert checked(settings).keys() == {("worker-missing", "group idle")}
    neglected.consumer(neglected.ago(seconds=1), version=event_bus_kafka.__version__, group="idle")
    assert checked(settings).keys() == {("partition-stuck", "idle on prod-certificates[0]")}
