"""``replay_events`` runs the chosen receivers for the chosen records, and prints the results."""

from __future__ import annotations

import io
import json
import logging
import signal
import socket
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED

from event_bus_kafka import is_replay, record_deleted
from event_bus_kafka.management import long_runs
from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED, REVOKED, Bus
from tests.support import replays
from tests.support.examples_of import certificate
from tests.support.replays import FAIL, NOTE, fail_for_odd, heard, note, put, replay
from tests.support.replays import receivers as receivers
from tests.support.sending import send
from tests.support.workers import worker


def note_deletion(key: int, **_: Any) -> None:
    heard.append(-key)


def test_a_replay_without_the_option_apply_only_prints_its_plan(bus: Bus, topic: str) -> None:
    send(bus, topic, *map(certificate, (1, 2)))
    send(bus, topic, certificate(3), signal=CERTIFICATE_REVOKED)
    bus.produce(topic, value=b"x", headers={"ce_type": b"org.unheard.of.v1"})
    CERTIFICATE_CREATED.connect(fail_for_odd)
    CERTIFICATE_REVOKED.disconnect(note)
    said = replay(bus, topic, "--from", "1").splitlines()
    assert said == [
        f"{topic}:0  offsets 1 to 4: 3 records",
        f"{CREATED}: 1 records; would run {NOTE}, {FAIL}",
        f"{REVOKED}: 1 records; skipped: nobody here listens",
        "org.unheard.of.v1: 1 records; skipped: not registered in this service",
        "Nothing was done: repeat it with --apply.",
    ]
    planned = json.loads(replay(bus, topic, "--from", "1", "--event-type", CREATED, "--receiver", FAIL, "--json"))
    assert planned == {
        "partitions": [{"topic": topic, "partition": 0, "from": 1, "to": 4, "records": 1}],
        "event_types": [{"event_type": CREATED, "records": 1, "receivers": [FAIL], "reason": ""}],
    }
    assert heard == []


def test_the_log_names_a_record_before_its_receiver_runs(
    bus: Bus, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The receiver may crash the process. A line that is logged afterwards would then be missing."""
    texts: list[str] = []

    def look(**_: Any) -> None:
        texts.append(caplog.text)

    CERTIFICATE_CREATED.connect(look)
    send(bus, topic, certificate(1))
    with caplog.at_level(logging.INFO):
        replay(bus, topic, "--from", "earliest", "--apply")
    CERTIFICATE_CREATED.disconnect(look)
    assert "Message received from Kafka" in texts[0]


def test_the_function_is_replay_returns_true_during_a_replay_and_no_offset_is_committed(
    bus: Bus, topic: str, group: str
) -> None:
    send(bus, topic, *map(certificate, (1, 2)))
    with worker(bus, topic, group, "replayed") as process:
        process.wait_for(lambda: len(process.heard("replayed")) == 2)
        assert process.stop() == 0
    arguments = ("replay_events", "-t", topic, "--from", "earliest", "--apply")
    settings = bus.settings(EVENT_BUS_KAFKA_REGISTRY_TIMEOUT=30)
    with ServiceProcess(*arguments, settings=settings, receivers="replayed") as again:
        assert again.end() == 0, again.log
    assert [one["is_replay"] for one in process.heard("replayed")] == [False, False]
    assert [(one["user"], one["is_replay"]) for one in again.heard("replayed")] == [(1, True), (2, True)]
    assert bus.committed(group, topic) == 2
    assert bus.committed("replay_events", topic) < 0


def test_tombstones_are_replayed_to_receivers_of_deletions(bus: Bus, topic: str) -> None:
    send(bus, topic, certificate(7))
    key = bus.records(topic, 1)[0].key()
    bus.produce(topic, key=key, value=None, headers={})
    assert "record_deleted: 1 records; skipped: nobody here listens" in replay(bus, topic, "--from", "1")
    record_deleted.connect(note_deletion)
    try:
        planned = replay(bus, topic, "--from", "1", "--receiver", f"{__name__}.note_deletion")
        assert f"record_deleted: 1 records; would run {__name__}.note_deletion" in planned
        replay(bus, topic, "--from", "0", "--key", "7", "--apply")
    finally:
        record_deleted.disconnect(note_deletion)
    assert heard == [7, -7]


def test_the_function_is_replay_returns_true_in_async_receivers_during_a_replay(bus: Bus, topic: str) -> None:
    told = []

    async def ask(**_: Any) -> None:
        told.append(is_replay())

    send(bus, topic, certificate(1))
    CERTIFICATE_CREATED.connect(ask)
    replay(bus, topic, "--from", "earliest", "--apply")
    assert (told, is_replay()) == ([True], False)


def test_a_replay_names_a_receiver_that_failed_and_replays_all_other_records(bus: Bus, topic: str) -> None:
    send(bus, topic, *map(certificate, (2, 1)))
    bus.produce(topic, value=b"learner@example.com", headers={"ce_type": CREATED.encode()})
    bus.produce(topic, value=b"x", headers={"ce_type": b"org.unheard.of.v1"})
    send(bus, topic, certificate(4))
    CERTIFICATE_CREATED.connect(fail_for_odd)
    said = replay(bus, topic, "--from", "earliest", "--apply")
    assert heard == [2, 1, 4]
    failed, unread, end, error = said.splitlines()
    assert failed.startswith(f"{topic}:0:1  {FAIL}: ValueError in {replays.__file__}:")
    assert unread == f"{topic}:0:2  InvalidHeaders: header ce_id is missing"
    assert end == "5 records: 2 succeeded, 1 failed, 1 could not be read, 1 skipped (unregistered type)."
    assert error == "ended with 1: 2 of 5 records failed."
    *failures, end, error = replay(bus, topic, "--from", "earliest", "--apply", "--json").splitlines()
    assert [json.loads(line)["record"] for line in failures] == [f"{topic}:0:1", f"{topic}:0:2"]
    assert json.loads(failures[0])["failures"][0]["receiver"] == FAIL
    assert json.loads(end) == {
        "replayed": 5,
        "succeeded": 2,
        "failed": 1,
        "undecodable": 1,
        "skipped": {"unregistered type": 1},
        "left": [],
    }
    assert "learner" not in said + "".join(failures)


def test_a_replay_counts_unreadable_records_as_failed(bus: Bus, topic: str) -> None:
    bus.produce(topic, value=b"x", headers={"ce_type": CREATED.encode()})
    said = replay(bus, topic, "--from", "earliest", "--apply")
    assert said.endswith("ended with 1: 1 of 1 records failed.")


def test_a_replay_with_the_option_stop_on_error_stops_at_the_first_failure(bus: Bus, topic: str) -> None:
    send(bus, topic, *map(certificate, (2, 1, 4)))
    CERTIFICATE_CREATED.connect(fail_for_odd)
    said = replay(bus, topic, "--from", "earliest", "--to", "latest", "--stop-on-error", "--apply")
    assert heard == [2, 1]
    assert said.endswith(f"ended with 1: Stopped at the first failure.\nLeft: --topic {topic}:0 --from 1 --to 3")


def test_records_to_replay_can_be_chosen_by_offset_by_type_by_key_and_by_receiver(bus: Bus, topic: str) -> None:
    send(bus, topic, *map(certificate, (1, 2, 1)))
    send(bus, topic, certificate(2), signal=CERTIFICATE_REVOKED)
    CERTIFICATE_CREATED.connect(fail_for_odd)

    def chosen(*arguments: str, start: str = "earliest") -> list[int]:
        heard.clear()
        replay(bus, topic, "--from", start, "--apply", *arguments)
        return list(heard)

    assert chosen("--to", "2", start="1") == [2]
    assert chosen("--to", "99", start="2") == [1, 2]
    assert chosen(start="latest") == []
    assert chosen("--event-type", REVOKED) == [2]
    assert chosen("--key", "1") == [1, 1]
    assert chosen("--receiver", NOTE) == [1, 2, 1, 2]
    assert chosen("--receiver", FAIL) == []
    assert f"{topic}:0  offsets 2 to 4: 2 records" in replay(bus, topic, "--from", "2", "--to", "99")
    missing = "No receiver mail.send is connected to a signal in this service."
    assert replay(bus, topic, "--from", "0", "--receiver", "mail.send") == f"ended with 1: {missing}"
    unknown = "The event type org.unheard.of.v1 is not registered in this service."
    assert replay(bus, topic, "--from", "0", "--event-type", "org.unheard.of.v1") == f"ended with 1: {unknown}"
    assert f"{topic}:0  offsets 0 to 4: 0 records" in replay(
        bus, topic, "--from", "0", "--event-type", "record_deleted"
    )


def test_a_replay_of_a_period_includes_all_its_records_even_if_their_times_are_out_of_order(
    bus: Bus, topic: str
) -> None:
    now = round(time.time()) * 1000
    for user, seconds in enumerate((0, 30, 10, 20, 5)):
        put(bus, topic, user, at=now - 3_600_000 + seconds * 1000)

    def moment(seconds: int) -> str:
        return datetime.fromtimestamp(now / 1000 - 3600 + seconds, UTC).isoformat()

    said = replay(bus, topic, "--from", moment(10), "--to", moment(30), "--apply")
    assert (heard, said.splitlines()[-1]) == ([2, 3], "2 records: 2 succeeded, 0 failed, 0 could not be read.")
    assert f"{topic}:0  offsets {5 if 'real' in type(bus).__name__.lower() else 0} to 5: 0 records" in replay(
        bus, topic, "--from", moment(31)
    )
    assert "does not say in which time zone" in replay(bus, topic, "--from", "2026-01-31T08:00:00")


def test_a_resumed_replay_of_a_period_stays_within_the_period(bus: Bus, topic: str) -> None:
    now = round(time.time()) * 1000
    for user, seconds in enumerate((10, 11, 12, 5, 25)):
        put(bus, topic, user, at=now - 3_600_000 + seconds * 1000)
    start, end = (datetime.fromtimestamp(now / 1000 - 3600 + seconds, UTC).isoformat() for seconds in (10, 20))
    CERTIFICATE_CREATED.connect(fail_for_odd)
    said = replay(bus, topic, "--from", start, "--to", end, "--stop-on-error", "--apply")
    left = f"--from 1 --from {start} --to 5 --to {end}"
    assert said.endswith(f"Left: --topic {topic}:0 {left}")
    heard.clear()
    replay(bus, topic, *left.split(), "--apply")
    assert heard == [1, 2]
    assert f"{topic}:0  offsets 2 to 3: 1 records" in replay(
        bus, topic, "--from", "2", "--from", start, "--to", end, "--to", "3"
    )


def test_a_replay_ignores_records_that_arrive_after_its_start(bus: Bus, topic: str) -> None:
    def echo(certificate: Any, **_: Any) -> None:
        send(bus, topic, certificate)

    send(bus, topic, certificate(1))
    CERTIFICATE_CREATED.connect(echo)
    try:
        assert "1 records: 1 succeeded" in replay(bus, topic, "--from", "earliest", "--apply")
    finally:
        CERTIFICATE_CREATED.disconnect(echo)
    assert heard == [1]
    assert bus.end_of(topic) == 2


def test_an_interrupted_replay_finishes_the_current_record_and_prints_the_remaining_offsets(
    bus: Bus, topic: str
) -> None:
    send(bus, topic, *map(certificate, (1, 2, 3)))
    arguments = ("replay_events", "-t", topic, "--from", "earliest", "--apply")
    with ServiceProcess(*arguments, settings=bus.settings(), receivers="slow,leave_transaction_open") as process:
        process.wait_for(lambda: process.heard("slow begins"))
        process.send(signal.SIGTERM)
        assert process.end() == 1
    assert process.users("slow ends") == [1]
    assert "1 records: 0 succeeded, 1 failed" in process.log
    assert "leave_transaction_open: TransactionLeftOpen: transaction left open on default" in process.log
    assert (
        "Error replaying event from Kafka: receiver tests.projects.certificates.receivers.leave_transaction_open"
        in process.log
    )
    assert "dead letter" not in process.log
    assert f"Interrupted.\nLeft: --topic {topic}:0 --from 1 --to 3" in process.log


@pytest.mark.parametrize("bus", ["sandbox"], indirect=True)
def test_a_second_signal_ends_a_replay_and_the_current_record_counts_as_remaining(bus: Bus, topic: str) -> None:
    send(bus, topic, certificate(1))
    arguments = ("replay_events", "-t", topic, "--from", "earliest", "--apply")
    with ServiceProcess(*arguments, settings=bus.settings(), receivers="hang") as process:
        process.wait_for(lambda: process.heard("hang"))
        process.send(signal.SIGINT)
        process.send(signal.SIGTERM)
        assert process.end() == 2
    assert f"Interrupted during a record.\nLeft: --topic {topic}:0 --from 0 --to 1" in process.log


@pytest.mark.parametrize("bus", ["sandbox"], indirect=True)
def test_a_replay_ends_when_a_receiver_raises_system_exit(bus: Bus, topic: str) -> None:
    def leave(**_: Any) -> None:
        raise SystemExit(7)

    send(bus, topic, certificate(1))
    CERTIFICATE_CREATED.connect(leave)
    said = replay(bus, topic, "--from", "earliest", "--apply")
    assert "leave raised SystemExit.\nLeft:" in said
    assert "ended with 3: Stopped: " in said


@pytest.mark.parametrize("bus", ["sandbox"], indirect=True)
def test_on_a_terminal_the_summary_of_a_replay_starts_on_a_new_line(
    bus: Bus, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def leave(certificate: Any, **_: Any) -> None:
        if certificate.user.id == 2:
            raise SystemExit

    monkeypatch.setattr(long_runs, "_REWRITE_AFTER", -1)
    send(bus, topic, *map(certificate, (1, 2)))
    CERTIFICATE_CREATED.connect(leave)
    terminal = Terminal()
    with override_settings(**bus.settings()), pytest.raises(CommandError):
        call_command("replay_events", "-t", topic, "--from", "earliest", "--apply", stdout=terminal)
    assert terminal.getvalue().splitlines()[-1].startswith("1 records: 1 succeeded")


def test_a_replay_ends_and_counts_no_record_as_failed_if_the_registry_is_unreachable(bus: Bus, topic: str) -> None:
    send(bus, topic, certificate(1))
    output = io.StringIO()
    away = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9"}
    with override_settings(**bus.settings(**away)), pytest.raises(CommandError) as ended:
        call_command("replay_events", "-t", topic, "--from", "earliest", "--apply", stdout=output)
    assert (ended.value.returncode, heard) == (1, [])
    assert str(ended.value).startswith("Stopped: a server is away: SchemaRegistryError")
    assert str(ended.value).endswith(f"Left: --topic {topic}:0 --from 0 --to 1")
    assert output.getvalue() == "0 records: 0 succeeded, 0 failed, 0 could not be read.\n"


@pytest.mark.parametrize("bounds", [("2026-01-02T00:00Z", "--to", "2026-01-01T00:00Z"), ("7", "--to", "6")])
def test_a_replay_is_refused_if_its_end_precedes_its_start(bus: Bus, topic: str, bounds: tuple[str, ...]) -> None:
    assert "There are no records: --from is after --to." in replay(bus, topic, "--from", *bounds)


def test_a_replay_that_is_interrupted_while_it_plans_ends_with_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        settings = {
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.getsockname()[1]}",
            "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
        }
        with ServiceProcess("replay_events", "-t", "t", "--from", "earliest", settings=settings) as process:
            connection, _ = broker.accept()
            process.send(signal.SIGINT)
            assert process.end() == 2
            connection.close()
    assert "CommandError: Interrupted." in process.log
    assert "Traceback" not in process.log
