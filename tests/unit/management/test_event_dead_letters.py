"""``event_dead_letters`` lists, shows and deletes dead letters, and hides their event data. The tests need no Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test import override_settings

from event_bus_kafka.models import DeadLetter
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import CREATED
from tests.support.letters import FAILED_AT, record_of, run, stored

pytestmark = pytest.mark.django_db(transaction=True)

AWARD, MAIL = "credentials.receivers.award", "mail.receivers.send"


@pytest.fixture(autouse=True)
def service(sandbox: Sandbox) -> Iterator[None]:
    with override_settings(
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url,
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
        EVENT_BUS_TOPIC_PREFIX="prod",
    ):
        yield


def listed(*arguments: Any) -> list[int]:
    return [letter["offset"] for letter in json.loads(run("list", "--json", *arguments))["dead_letters"]]


def test_the_list_shows_the_record_of_a_letter_and_the_error_of_each_receiver() -> None:
    letter = stored(record_of(7, offset=41), AWARD, MAIL)
    lines = run("list").splitlines()
    assert " ".join(lines[0].split()) == "ID RECORD GROUP EVENT TYPE ATTEMPTS FIRST FAILED LAST FAILED"
    assert lines[1].split()[:5] == [str(letter.pk), "prod-certificates:0:41", "mail", CREATED, "5"]
    assert lines[1].count("2026-01-02 03:04:05Z") == 2
    assert [line.strip() for line in lines[2:]] == [f"{AWARD}: ValueError", f"{MAIL}: ValueError"]


def test_the_list_is_ordered_by_latest_failure_and_shows_the_number_of_omitted_letters() -> None:
    for offset in range(4):
        stored(record_of(7, offset=offset), failed_at=FAILED_AT + timedelta(minutes=offset))
    assert listed("--limit", 3) == [3, 2, 1]
    assert listed("--limit", 3, "--oldest") == [0, 1, 2]
    assert json.loads(run("list", "--limit", 3, "--json"))["more"] == 1
    assert run("list", "--limit", 3).endswith("… and 1 more\n")


def test_the_list_contains_only_letters_that_match_all_given_filters() -> None:
    stored(record_of(7, offset=1), AWARD)
    stored(record_of(7, offset=2), MAIL, group="other")
    stored(record_of(7, offset=3, topic="prod-elsewhere"), MAIL)
    stored(record_of(7, offset=4, headers=()))
    assert listed("-g", "other") == [2]
    assert listed("-t", "elsewhere") == listed("-t", "prod-elsewhere") == [3]
    assert listed("--event-type", CREATED) == [3, 2, 1]
    assert listed("--receiver", MAIL) == [3, 2]
    assert json.loads(run("list", "--receiver", MAIL, "--limit", 1, "--json"))["more"] == 1
    assert listed("--receiver", MAIL, "-g", "other") == [2]


def test_the_command_says_that_there_are_no_dead_letters_if_the_list_is_empty() -> None:
    assert run("list") == "No dead letters.\n"


def test_control_characters_of_a_record_are_not_printed() -> None:
    stored(record_of(7, headers=(("ce_type", b"\x1b[2Jx"),)))
    assert "\x1b" not in run("list")


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show"], ["show", "--json"], ["replay"]])
def test_event_data_is_not_printed_by_default(arguments: list[str]) -> None:
    headers = (*record_of(7).headers, ("note", b"learner@example.com"))
    letter = stored(record_of(7, headers=headers), AWARD)
    printed = run(*arguments, *([] if arguments[0] == "list" else [letter.pk]))
    assert str(letter.pk) in printed
    for secret in ("learner", "@", "example", "honor", "downloadable"):
        assert secret not in printed


def test_the_subcommand_show_prints_the_record_and_receivers_and_headers_and_sizes_of_a_letter() -> None:
    letter = stored(record_of(7, offset=41), AWARD)
    printed = run("show", letter.pk)
    assert "prod-certificates:0:41" in printed
    assert f"{AWARD}: ValueError" in printed
    assert f"ce_type: {CREATED}" in printed
    assert f"{len(letter.record.value or b'')} bytes of value" in printed


def test_the_option_unmasked_prints_the_decoded_event_data() -> None:
    letter = stored(record_of(7), AWARD)
    description = json.loads(run("show", letter.pk, "--unmasked", "--json"))
    assert description["data"]["certificate"]["user"]["pii"]["email"] == "learner@example.com"
    assert description["key"] == 7
    assert "learner@example.com" in run("show", letter.pk, "--unmasked")


def test_the_option_unmasked_prints_bytes_and_reason_if_a_record_cannot_be_decoded() -> None:
    letter = stored(record_of(7, value=b"\0\0\0\0\1" + b"\xff" * 100, key=b"\1key"))
    description = json.loads(run("show", letter.pk, "--unmasked", "--json"))
    assert description["data"]["undecodable"].startswith("UnreadableValue")
    assert description["data"]["bytes"] == 105
    assert description["data"]["begins"] == "00 00 00 00 01" + " ff" * 59
    assert description["key"]["begins"] == "01 6b 65 79"
    with override_settings(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL="http://127.0.0.1:9"):
        assert "SchemaRegistryError" in run("show", letter.pk, "--unmasked")


def test_the_subcommand_discard_deletes_the_selected_letters_only_with_the_option_apply() -> None:
    letters = [stored(record_of(7, offset=offset), AWARD if offset else MAIL) for offset in range(3)]
    assert "repeat it with --apply" in run("discard", letters[0].pk)
    assert DeadLetter.objects.count() == 3
    assert "Deleted 2 dead letters." in run("discard", "--receiver", AWARD, "--apply")
    assert listed() == [0]
    run("discard", letters[0].pk, "--apply")
    assert listed() == []


def test_the_subcommand_discard_is_refused_without_a_selection() -> None:
    with pytest.raises(CommandError, match="Say which"):
        run("discard", "--apply")


def test_an_unknown_id_is_reported_before_any_letter_changes() -> None:
    letter = stored(record_of(7))
    for action in ("replay", "discard"):
        with pytest.raises(CommandError, match=r"There is no dead letter 999998, 999999\."):
            run(action, letter.pk, 999998, 999999, "--apply")
    with pytest.raises(CommandError, match="There is no dead letter 999998"):
        run("show", 999998)
    letter.refresh_from_db()
    assert letter.attempts == 5


def test_the_subcommand_purge_deletes_letters_older_than_the_retention() -> None:
    now = datetime.now(UTC)
    for offset, days in enumerate((1, 89, 91)):
        stored(record_of(7, offset=offset), failed_at=now - timedelta(days=days))
    assert run("purge").startswith("1 dead letters failed last more than 90 days ago.")
    assert DeadLetter.objects.count() == 3
    assert "Deleted 1 " in run("purge", "--apply")
    with override_settings(EVENT_BUS_KAFKA_RETENTION=80):
        assert "Deleted 1 " in run("purge", "--apply")
    assert "Deleted 1 " in run("purge", "--days", "0.5", "--apply")


@pytest.mark.parametrize(
    "arguments",
    [
        ["take", "topic:0", "-g", "g"],
        ["take", "topic:0:-1", "-g", "g"],
        ["take", f"topic:0:{2**63}", "-g", "g"],
        ["take", "topic:0:1"],
        ["import"],
        ["show", "seven"],
        ["list", "--limit", "0"],
        ["purge", "--days", "0"],
        ["replay", "0"],
        [],
    ],
)
def test_malformed_or_missing_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"argument|required"):
        run(*arguments)


@pytest.mark.parametrize("action", ["list", "show", "take", "replay", "discard", "import", "purge"])
def test_the_help_mentions_the_option_apply_only_for_subcommands_that_change_something(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(action, "--help")
    printed = capsys.readouterr().out
    assert ("--apply" in printed) == (action not in ("list", "show"))


def test_the_command_asks_to_migrate_when_the_table_is_missing() -> None:
    with connection.schema_editor() as editor:
        editor.delete_model(DeadLetter)
    try:
        with pytest.raises(CommandError, match=r"run manage\.py migrate"):
            run("list")
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(DeadLetter)


def test_the_json_output_lists_changed_letters_and_says_whether_the_change_was_applied() -> None:
    letter = stored(record_of(7, offset=41), AWARD)
    old = stored(record_of(7, offset=42), MAIL, failed_at=datetime.now(UTC) - timedelta(days=99))

    def told(*arguments: Any) -> Any:
        return json.loads(run(*arguments, "--json"))

    assert told("discard", letter.pk) == {"dead_letters": [letter.pk], "applied": False}
    (planned,) = told("replay", letter.pk)["dead_letters"]
    assert (planned["id"], planned["run"]) == (letter.pk, []), "its receiver is not in this service"
    assert planned["problem"]
    assert told("purge", "--days", 30) == {"dead_letters": 2, "days": 30.0, "applied": False}
    assert DeadLetter.objects.count() == 2
    assert told("discard", letter.pk, "--apply") == {"dead_letters": [letter.pk], "applied": True}
    assert told("purge", "--days", 30, "--apply")["applied"]
    assert not DeadLetter.objects.filter(pk__in=[letter.pk, old.pk]).exists()
