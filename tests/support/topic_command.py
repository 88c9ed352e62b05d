"""Runs ``event_topics`` for tests."""

from __future__ import annotations

import io
import json
from typing import Any

from django.core.management import CommandError, call_command
from django.test import override_settings


def topics(settings: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """
    Run ``event_topics``; return its exit code and its output. If the command failed, the text of the error follows the
    output.
    """
    output = io.StringIO()
    with override_settings(**settings):
        try:
            call_command("event_topics", *arguments, stdout=output, no_color=True)
        except CommandError as error:
            return error.returncode, output.getvalue() + str(error)
    return 0, output.getvalue()


def drift(settings: dict[str, Any]) -> dict[str, list[str]]:
    """
    Return the steps and obstacles that ``event_topics check`` prints, by topic. Assert that the exit code is 1 if there
    are any, and 0 otherwise.
    """
    code, printed = topics(settings, "check", "--json")
    found = json.JSONDecoder().raw_decode(printed)[0]["topics"]
    drifting = {one["topic"]: one["steps"] + one["obstacles"] for one in found if one["drift"]}
    assert code == bool(drifting)
    return drifting
