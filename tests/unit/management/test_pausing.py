"""``event_bus_pause`` and ``event_bus_resume`` pause and resume receivers. Workers obey the pauses."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError, connection
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.dispatching.outages import DATABASE, outage_of
from event_bus_kafka.dispatching.pauses import READ_EVERY, Pauses, read_now
from event_bus_kafka.errors import PausesUnknown
from event_bus_kafka.models import PausedReceiver
from event_bus_kafka.models.presence import look_again

pytestmark = pytest.mark.django_db(transaction=True)

NAME = f"{__name__}.receive#mail"


def receive(**_: Any) -> None:
    """Accept an event."""


@pytest.fixture(autouse=True)
def listener() -> Iterator[None]:
    CERTIFICATE_CREATED.connect(receive, dispatch_uid="mail")
    yield
    CERTIFICATE_CREATED.disconnect(receive, dispatch_uid="mail")


def run(command: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command(f"event_bus_{command}", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def test_a_pause_can_be_planned_and_applied_and_listed_and_ended() -> None:
    pauses = Pauses()
    planned = run("pause", "--receiver", NAME)
    assert planned.startswith(f"{NAME} would not be called any more, in all groups, within 5 seconds;")
    assert "org.openedx.learning.certificate.created.v1" in planned
    assert run("pause") == "None is paused.\n"
    assert "Paused." in run("pause", "--receiver", NAME, "--apply")
    assert run("pause").startswith(f"{NAME}  since 20")
    assert run("pause", "--receiver", NAME, "--apply") == f"{NAME} is paused already: nothing to do.\n"
    pauses.read()
    assert pauses() == {NAME}
    planned = run("resume", "--receiver", NAME)
    assert planned.startswith(f"{NAME} would get its events again")
    assert "repeat it with --apply" in planned
    assert run("resume") == run("pause")
    assert "Resumed." in run("resume", "--receiver", NAME, "--apply")
    assert run("resume", "--receiver", NAME) == f"{NAME} is not paused: nothing to do.\n"
    pauses.read()
    assert pauses() == frozenset()


def test_a_reason_for_a_pause_is_stored_and_shown() -> None:
    run("pause", "--receiver", NAME, "--reason", "Mails go out twice", "--apply")
    assert run("pause").endswith("Mails go out twice\n")
    assert json.loads(run("pause", "--json"))["paused"][0]["reason"] == "Mails go out twice"


def test_receivers_can_be_paused_even_if_the_table_has_no_column_for_reasons() -> None:
    reason = PausedReceiver._meta.get_field("reason")
    look_again(connection)
    with connection.schema_editor() as editor:
        editor.remove_field(PausedReceiver, reason)
    try:
        run("pause", "--receiver", NAME, "--reason", "not kept", "--apply")
        assert run("pause").startswith(f"{NAME}  since 20")
        assert "not kept" not in run("pause")
        assert read_now()() == {NAME}
    finally:
        with connection.schema_editor() as editor:
            editor.add_field(PausedReceiver, reason)
        look_again(connection)
    assert "Resumed." in run("resume", "--receiver", NAME, "--apply")


def test_the_json_output_contains_the_plan_and_the_paused_receivers() -> None:
    planned = json.loads(run("pause", "--receiver", NAME, "--json"))
    assert (planned["receiver"], planned["applied"], planned["paused"]) == (NAME, False, [])
    applied = json.loads(run("pause", "--receiver", NAME, "--json", "--apply"))
    assert (applied["applied"], [one["receiver"] for one in applied["paused"]]) == (True, [NAME])
    assert json.loads(run("resume", "--json")) == {"paused": applied["paused"]}


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_the_error_for_an_unknown_receiver_names_the_known_receivers(command: str) -> None:
    with pytest.raises(CommandError, match=f"Did you mean {NAME}\\?") as refused:
        run(command, "--receiver", f"{__name__}.recieve#mail", "--apply")
    assert refused.value.returncode == 1
    assert f"\n  {NAME}" in str(refused.value)
    assert run("pause") == "None is paused.\n"


def test_the_pause_of_a_receiver_that_no_longer_exists_can_be_ended() -> None:
    run("pause", "--receiver", NAME, "--apply")
    CERTIFICATE_CREATED.disconnect(receive, dispatch_uid="mail")
    run("resume", "--receiver", NAME, "--apply")
    assert run("resume") == "None is paused.\n"


def test_workers_obey_the_last_known_pauses_and_warn_once_if_the_table_of_pauses_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses = Pauses()
    run("pause", "--receiver", NAME, "--apply")
    pauses.read()
    with connection.schema_editor() as editor:
        editor.delete_model(PausedReceiver)
    try:
        for command in ("pause", "resume"):
            with pytest.raises(CommandError, match=r"run manage\.py migrate") as refused:
                run(command)
            assert refused.value.returncode == 1
        caplog.clear()
        for _ in range(3):
            pauses.read()
        assert len(caplog.records) == 1
        assert pauses() == {NAME}, "what was read before holds while the table cannot be read"
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(PausedReceiver)


class AwayRouter:
    """
    A router that raises `error` for the table of pauses, as if the database of this table did not answer. If `error` is
    None, the database answers.
    """

    error: Exception | None = OperationalError("away")

    def db_for_write(self, model: Any, **_: Any) -> str:
        if AwayRouter.error and model is PausedReceiver:
            raise AwayRouter.error
        return "default"


@pytest.fixture
def away() -> Iterator[type[AwayRouter]]:
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.AwayRouter"]):
        AwayRouter.error = OperationalError("away")
        yield AwayRouter


def test_c15_an_error_is_raised_until_the_pauses_have_been_read_for_the_first_time(away: type[AwayRouter]) -> None:
    """Formerly a worker ran paused receivers if it started while the database was unreachable."""
    PausedReceiver.objects.using("default").create(receiver=NAME, paused_at=datetime.now(UTC))
    pauses = Pauses()
    pauses.read()
    with pytest.raises(PausesUnknown):
        pauses()
    assert pauses.read_every == READ_EVERY
    away.error = None
    pauses.read()
    assert pauses() == {NAME}
    away.error = OperationalError("away again")
    pauses.read()
    assert pauses() == {NAME}
    assert pauses.read_every == READ_EVERY


def test_c15_the_error_for_unknown_pauses_contains_the_error_of_the_database(caplog: pytest.LogCaptureFixture) -> None:
    """
    In this test, the pauses are unknown because the database user lacks a right. The class name of the exception alone
    would not tell this reason.
    """

    def refuse(*_: Any) -> None:
        raise ProgrammingError(
            1142, "SELECT command denied to user 'lms'@'%' for table 'event_bus_kafka_pausedreceiver'"
        )

    pauses = Pauses()
    with connection.execute_wrapper(refuse):
        pauses.read()
        pauses.read()
    told = "ProgrammingError 1142 SELECT command denied to user '…'@'…' for table 'event_bus_kafka_pausedreceiver'"
    with pytest.raises(PausesUnknown, match=re.escape(told)):
        pauses()
    assert caplog.text.count(told) == 1


def test_c16_an_exception_of_a_router_is_raised_when_pauses_are_read_at_the_start(away: type[AwayRouter]) -> None:
    away.error = LookupError("no tenant")
    with pytest.raises(LookupError):
        read_now()


def test_c15_unknown_pauses_count_as_an_outage_of_the_database() -> None:
    assert outage_of(PausesUnknown()) == DATABASE
