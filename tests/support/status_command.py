"""Runs ``event_bus_status`` for tests."""

from __future__ import annotations

import io
import json
from typing import Any

import attrs
from django.core.management import CommandError, call_command
from django.test import override_settings


@attrs.frozen
class Shown:
    """The output of the command. ``refusal`` is the text of the command's error, or empty if the exit code is 0."""

    text: str
    refusal: str

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.text)
        return content

    @property
    def findings(self) -> dict[tuple[str, str], str]:
        """The message of each finding. The key consists of the finding's id and subject."""
        return {(one["id"], one["subject"]): one["message"] for one in self.json["findings"]}


def status(settings: dict[str, Any], *arguments: str) -> Shown:
    """Run ``event_bus_status``; return its output. The output is JSON if ``--json`` is among the arguments."""
    output = io.StringIO()
    with override_settings(**{"EVENT_BUS_KAFKA_HEARTBEAT": 10} | settings):
        try:
            call_command("event_bus_status", *arguments, stdout=output, no_color=True)
        except CommandError as error:
            return Shown(output.getvalue(), str(error))
    return Shown(output.getvalue(), "")


def told(settings: dict[str, Any], *arguments: str) -> Shown:
    """Run the command with ``--json``; return its output."""
    return status(settings, "--json", *arguments)


def checked(settings: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Run the command with ``--check``; return its findings. Assert that the exit code agrees with the findings."""
    shown = told(settings, "--check")
    assert bool(shown.refusal) == bool(shown.findings)
    assert all(one["remedy"] for one in shown.json["findings"])
    return shown.findings
