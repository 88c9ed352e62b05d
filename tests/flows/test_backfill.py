"""
``backfill_events`` prints its plan, sends the events, and resumes after a token. Tests in outbox/ cover interruptions.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from edx_django_utils.cache import RequestCache
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import backfill_source
from event_bus_kafka.producing import backfill as sources
from tests.services.bus import CREATED, Bus, header
from tests.support.examples_of import certificate

SOURCE = f"{__name__}.certificates"
OF_USER: dict[int, Callable[[], dict[str, Any]]] = {}


def fail() -> dict[str, Any]:
    raise ValueError("learner@example.com")


def arguments(user: int, **fields: Any) -> dict[str, Any]:
    return {"certificate": certificate(user, **fields), "time": datetime(2026, 1, 2, tzinfo=UTC)}


@backfill_source(CERTIFICATE_CREATED, count=lambda after: len(OF_USER) - int(after or 0))
def certificates(after: str | None) -> Iterator[Any]:
    for user in range(int(after or 0) + 1, len(OF_USER) + 1):
        if OF_USER[user] is fail and len(OF_USER) > 500:
            fail()
        yield user, OF_USER[user]


@pytest.fixture(autouse=True)
def seven() -> None:
    """Create seven users. Their ids are the tokens of the backfill."""
    OF_USER.clear()
    OF_USER.update({user: partial(arguments, user) for user in range(1, 8)})


def backfill(bus: Bus, topic: str, *arguments: str, **changes: Any) -> str:
    """Run ``backfill_events``; return its output. If the command failed, the returned text also contains the error."""
    output = io.StringIO()
    patience = {"EVENT_BUS_KAFKA_REGISTRY_TIMEOUT": 30, "EVENT_BUS_KAFKA_SEND_TIMEOUT": 60}
    with override_settings(**bus.settings(topic, **patience | changes)):
        try:
            call_command("backfill_events", *arguments, stdout=output, no_color=True)
        except CommandError as error:
            return f"{output.getvalue()}ended with {error.returncode}: {error}"
    return output.getvalue()


def test_a_backfill_without_the_option_apply_only_prints_its_plan(bus: Bus, topic: str) -> None:
    assert f"{SOURCE}  {CREATED}" in backfill(bus, topic).splitlines()
    changes = {"EVENT_BUS_TOPIC_PREFIX": "prod", "EVENT_BUS_PRODUCER_MODE": "immediate"}
    assert backfill(bus, topic, SOURCE, "--resume", "2", "--limit", "9", **changes).splitlines() == [
        f"{SOURCE} after 2: 5 events of type {CREATED}",
        f"  to topic prod-{topic}, key certificate.user.id, mode immediate",
        "Nothing was done: repeat it with --apply.",
    ]
    assert bus.end_of(topic) == 0


def test_a_backfill_sends_all_items_to_each_enabled_topic_and_resumes_from_a_given_token(bus: Bus, topic: str) -> None:
    second = f"{topic}-second"
    bus.create_topic(second)
    entry = {"event_key_field": "certificate.user.id", "enabled": True}
    config = {CREATED: {topic: entry, second: entry, "off": entry | {"enabled": False}}}
    heard: list[Any] = []

    def hear(**arguments: Any) -> None:
        heard.append(arguments)

    CERTIFICATE_CREATED.connect(hear)
    begun = backfill(bus, topic, SOURCE, "--limit", "3", "--apply", EVENT_BUS_PRODUCER_CONFIG=config).splitlines()
    assert [line.split()[2] for line in begun if line.startswith("  to topic ")] == [f"{topic},", f"{second},"]
    assert begun[-2].startswith("[##############################] 100%  3 of 3")
    assert begun[-2].endswith("  --resume 3")
    assert begun[-1] == "3 events are sent, 0 failed."
    end = backfill(
        bus, topic, SOURCE, "--resume", "3", "--rate", "2000", "--apply", EVENT_BUS_PRODUCER_CONFIG=config
    ).splitlines()
    assert end[-1] == "4 events are sent, 0 failed."
    assert heard == []
    wrong: Any = None
    OF_USER[5] = partial(arguments, 5, grade=wrong)
    alone = ("--resume", "4", "--limit", "1", "--apply")
    said = backfill(bus, topic, SOURCE, *alone, EVENT_BUS_PRODUCER_CONFIG=config).splitlines()
    assert said[-2] == "0 events are sent, 1 failed."
    records = bus.records(topic, 7)
    assert {header(record, "ce_time") for record in records} == {"2026-01-02T00:00:00+00:00"}
    ids = [header(record, "ce_id") for record in records]
    assert (len(set(ids)), ids) == (7, [header(record, "ce_id") for record in bus.records(second, 7)])


def test_a_backfill_names_items_that_cannot_be_sent_and_sends_all_other_items(bus: Bus, topic: str) -> None:
    wrong: Any = None
    OF_USER[2], OF_USER[5] = fail, partial(arguments, 5, grade=wrong)
    OF_USER[6] = partial(arguments, 6, name="x" * 20_000)
    options = {"message.max.bytes": 10_000}
    said = backfill(bus, topic, SOURCE, "--apply", EVENT_BUS_KAFKA_PRODUCER_OPTIONS=options).splitlines()
    first, second, third, progress, end, error = said[2:]
    again = [line.rpartition(" (again: ")[2] for line in (first, second, third)]
    assert again == ["--resume 1 --limit 1)", "--resume 4 --limit 1)", "--resume 5 --limit 1)"]
    assert first.startswith(f"Item 2 cannot be sent: ValueError in {__file__}:")
    assert second.startswith(f"Item 5 cannot be sent: SerializationError: {CREATED}: field certificate.grade")
    assert third.startswith("Item 6 cannot be sent: DeliveryFailed: MSG_SIZE_TOO_LARGE")
    assert progress.endswith("--resume 7")
    assert (end, error) == (
        "4 events are sent, 3 failed.",
        "ended with 1: 3 of 7 items failed; each is named above.",
    )
    assert "learner@example.com" not in "".join(said)
    assert bus.end_of(topic) == 4


def test_the_json_output_of_a_backfill_contains_failed_items_and_the_resume_token(bus: Bus, topic: str) -> None:
    def found(*arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in backfill(bus, topic, *arguments, "--json").splitlines() if line[0] == "{"]

    OF_USER[3] = fail
    assert found()[0]["sources"][SOURCE] == CREATED
    to = [{"topic": topic, "key": "certificate.user.id", "mode": "on-commit"}]
    plan = {"source": SOURCE, "event_type": CREATED, "resume": "1", "events": 6, "topics": to}
    assert found(SOURCE, "--resume", "1") == [plan]
    failed, batch, end = found(SOURCE, "--resume", "1", "--apply")
    assert (failed["token"], failed["resume"]) == ("3", "2"), "after this token comes the failed item"
    assert failed["error"].startswith("ValueError in ")
    assert batch == {"done": 6, "resume": "7"}
    assert end == {"sent": 5, "failed": 1, "resume": "7"}


def test_an_exception_of_the_source_stops_the_backfill_after_the_last_full_batch(bus: Bus, topic: str) -> None:
    OF_USER.update({user: partial(arguments, user) for user in range(1, 551)} | {550: fail})
    said = backfill(bus, topic, SOURCE, "--apply")
    assert f"\nended with 1: Stopped: {SOURCE} raised ValueError in {__file__}:" in said
    assert said.endswith(". Go on with --resume 500.")
    assert bus.end_of(topic) == 500
    said = backfill(bus, topic, SOURCE, "--resume", "x")
    assert f"{SOURCE} raised ValueError in " in said
    assert said.endswith("; see whether --resume has a token of this source.")


@pytest.mark.parametrize("bus", ["sandbox"], indirect=True)
def test_a_backfill_clears_request_caches_only_between_batches(bus: Bus, topic: str) -> None:
    cache, seen = RequestCache("runs"), []

    def build(user: int) -> dict[str, Any]:
        seen.append(cache.get_cached_response("known").is_found)
        cache.set("known", user)
        return arguments(user)

    OF_USER.update({user: partial(build, user) for user in range(1, 502)})
    backfill(bus, topic, SOURCE, "--apply")
    assert [user for user, known in enumerate(seen, 1) if not known] == [1, 501]


@pytest.mark.parametrize("bus", ["sandbox"], indirect=True)
def test_the_printed_resume_token_is_quoted_for_the_shell(
    bus: Bus, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_registered", {})

    @backfill_source(CERTIFICATE_CREATED, count=lambda _: 2)
    def runs(after: str | None) -> list[Any]:
        if after is None:
            return [("run 1", fail), ("run 2;", arguments(2))]
        return [] if after == "run 2;" else [fail()]

    name = f"{__name__}.runs"
    said = backfill(bus, topic, name, "--apply")
    assert "(again: --limit 1)" in said
    assert "1 events are sent, 1 failed." in said
    assert "--resume 'run 2;'\n" in said
    assert "0 events are sent, 0 failed." in backfill(bus, topic, name, "--apply", "--resume", "run 2;")
    said = backfill(bus, topic, name, "--apply", "--resume", "run 1;")
    assert f"ended with 1: Stopped: {name} raised ValueError in {__file__}:" in said
    assert said.endswith(". Go on with --resume 'run 1;'.")


@pytest.mark.parametrize(
    ("away", "reason"),
    [
        ({"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}, "DeliveryFailed: _MSG_TIMED_OUT: "),
        ({"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9"}, "SchemaRegistryError: "),
    ],
    ids=["Kafka", "registry"],
)
@pytest.mark.parametrize("bus", ["sandbox"], indirect=True)
def test_a_backfill_stops_and_counts_no_event_as_sent_if_a_server_is_unreachable(
    bus: Bus, topic: str, away: dict[str, Any], reason: str
) -> None:
    options = {"message.timeout.ms": 500}
    said = backfill(bus, topic, SOURCE, "--apply", EVENT_BUS_KAFKA_PRODUCER_OPTIONS=options, **away)
    end, error = said.splitlines()[2:]
    assert end == "0 events are sent, 0 failed."
    assert error.startswith(f"ended with 1: Stopped: {reason}")
    assert error.endswith(". Begin anew.")


@pytest.mark.django_db
def test_a_backfill_refuses_a_source_that_yields_inside_a_transaction(bus: Bus, topic: str) -> None:
    """An event would be sent only when the transaction ends, but its token would be printed long before."""
    refused = "Stopped: a transaction is open on default: a source must not yield inside a transaction. Begin anew."
    assert backfill(bus, topic, SOURCE, "--apply").endswith(f"ended with 1: {refused}")
    assert bus.end_of(topic) == 0


def test_a_backfill_fails_for_an_unknown_source_and_for_an_event_type_without_an_enabled_topic(
    bus: Bus, topic: str
) -> None:
    assert "ended with 1: There is no source course_runs. There are: " in backfill(bus, topic, "course_runs")
    said = backfill(bus, topic, SOURCE, EVENT_BUS_PRODUCER_CONFIG={})
    assert said == f"ended with 1: EVENT_BUS_PRODUCER_CONFIG has no enabled topic for {CREATED}."
