"""Runs ``probe_event_bus`` for tests."""

from __future__ import annotations

import io
import json
from typing import Any

from django.core.management import CommandError, call_command
from django.test import override_settings


def probed(settings: dict[str, Any], *arguments: str) -> dict[str, Any]:
    """
    Run one probe; return its JSON output. In the result, ``legs`` maps the name of each leg to its failure, or to an
    empty text.
    """
    output = io.StringIO()
    code = 0
    with override_settings(**settings):
        try:
            call_command("probe_event_bus", "--json", "--slow", "60", *arguments, stdout=output, no_color=True)
        except CommandError as error:
            code = error.returncode
    found: dict[str, Any] = json.loads(output.getvalue())
    assert code == (not found["ok"])
    failures = {leg["name"]: leg["failure"] for leg in found["legs"]}
    assert found["failed"] == next((name for name, failure in failures.items() if failure), None)
    return found | {"legs": failures}
