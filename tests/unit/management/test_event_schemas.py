"""``event_schemas`` checks, registers, exports and shows schemas. The tests use the sandbox."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from django.core.management import CommandError, call_command
from django.test import override_settings

from event_bus_kafka.sandbox import Sandbox
from tests.support.signals import EVENT_TYPE, graded

FIELDS: dict[str, Any] = {"user": int, "comment": (str, None)}
CHANGED = FIELDS | {"seats": int}


def schemas(sandbox: Sandbox, topic: str, *arguments: str) -> tuple[int, str]:
    """Run the command for a service whose producers do not register schemas; return the exit code and the output."""
    output = io.StringIO()
    settings = sandbox.settings | {
        "EVENT_BUS_PRODUCER_CONFIG": {EVENT_TYPE: {topic: {"event_key_field": "grade.user", "enabled": True}}},
        "EVENT_BUS_KAFKA_AUTO_REGISTER_SCHEMAS": False,
    }
    with override_settings(**settings):
        try:
            call_command("event_schemas", *arguments, stdout=output, no_color=True)
        except CommandError as error:
            return error.returncode, output.getvalue() + str(error)
    return 0, output.getvalue()


def test_the_register_subcommand_registers_each_schema_only_once(sandbox: Sandbox) -> None:
    with graded(**FIELDS):
        code, said = schemas(sandbox, "deployed", "check", "--exact")
        assert (code, said.count("  new (level NONE)")) == (1, 2)
        assert "2 of 2 schemas are missing: run event_schemas register." in said
        code, said = schemas(sandbox, "deployed", "register")
        lines = [line.split("  ") for line in said.splitlines()]
        assert [subject for subject, _ in lines] == ["deployed-long", f"deployed-{EVENT_TYPE}.CloudEvent"]
        assert all(done.startswith("registered, id ") for _, done in lines)
        code, again = schemas(sandbox, "deployed", "register")
        assert again == said.replace("registered,", "there already,")
        assert schemas(sandbox, "deployed", "check", "--exact")[0] == 0


def test_a_refused_schema_is_reported_with_the_incompatible_field_and_other_schemas_are_registered(
    sandbox: Sandbox,
) -> None:
    subject = f"refused-{EVENT_TYPE}.CloudEvent"
    with graded(**FIELDS):
        schemas(sandbox, "refused", "register")
    with SchemaRegistryClient({"url": sandbox.schema_registry_url}) as client:
        client.set_compatibility(subject, "BACKWARD")
    why = (
        "what was sent with version 1 cannot be read with this schema: grade.seats has no default where it is read, "
        "and is not written"
    )
    with graded(**CHANGED):
        code, said = schemas(sandbox, "refused", "check")
        assert code == 1
        assert f"{subject}  MAY NOT FOLLOW (level BACKWARD)\n  ~ grade.seats: was absent, is long\n  ! {why}" in said
        code, said = schemas(sandbox, "refused", "register", "--json")
        found = json.JSONDecoder().raw_decode(said)[0]["schemas"]
    assert code == 1
    assert [one["schema_id"] is None for one in found] == [False, True]
    assert f"registering {subject}: HTTP 409" in found[1]["failures"][0]
    assert found[1]["failures"][1] == why


def test_the_check_subcommand_fails_if_schemas_in_a_directory_are_missing_or_incompatible(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    directory = str(tmp_path / "schemas")
    check = ("check", "--against", directory)
    with graded(**FIELDS):
        assert "event_schemas export makes one" in schemas(sandbox, "any", *check)[1]
        assert schemas(sandbox, "any", "export", directory)[0] == 0
        assert schemas(sandbox, "any", *check, "--exact") == (0, f"{EVENT_TYPE}.avsc  known (level BACKWARD)\n")
    with graded(**FIELDS, note=(str, None)):
        code, said = schemas(sandbox, "any", *check)
        assert (code, "changed, may follow" in said, "~ grade.note: was absent, is string or null" in said) == (
            0,
            True,
            True,
        )
        assert schemas(sandbox, "any", *check, "--exact")[0] == 1
    with graded(**CHANGED):
        assert schemas(sandbox, "any", *check)[0] == 1
        assert schemas(sandbox, "any", *check, "--level", "FORWARD")[0] == 0


def test_the_show_subcommand_prints_schemas_and_reports_unknown_event_types(sandbox: Sandbox) -> None:
    with graded(**FIELDS):
        found = json.loads(schemas(sandbox, "shown", "show", "--json")[1])["schemas"]
        assert [one["subject"] for one in found] == ["shown-long", f"shown-{EVENT_TYPE}.CloudEvent"]
        assert found[1]["schema"]["namespace"] == EVENT_TYPE
        assert "No signal of type" in schemas(sandbox, "shown", "export", "x", "--event-type", "org.example.none.v1")[1]
        said = "EVENT_BUS_PRODUCER_CONFIG enables no topic for org.example.none.v1."
        assert schemas(sandbox, "shown", "show", "--event-type", "org.example.none.v1") == (1, said)
    assert schemas(sandbox, "shown", "check", "--level", "FULL") == (
        1,
        "--level needs --against: a registry has its own levels.",
    )
