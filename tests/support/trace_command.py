"""Runs ``event_trace`` for tests."""

from __future__ import annotations

import json
from contextlib import nullcontext
from io import StringIO
from typing import Any
from uuid import UUID, uuid1

import pytest
from django.core.management import CommandError, call_command

from tests.services.bus import Bus
from tests.support.examples_of import certificate
from tests.support.sending import send


def trace(*arguments: Any, finds: bool = True) -> str:
    """
    Run ``event_trace``; return its output. Assert that the command finds something or, with ``finds=False``, that it
    exits with 1.
    """
    output = StringIO()
    with nullcontext() if finds else pytest.raises(CommandError, match=r"^It was found nowhere\.$") as ended:
        call_command("event_trace", *map(str, arguments), stdout=output, no_color=True)
    assert ended is None or ended.value.returncode == 1
    return output.getvalue()


def found(*arguments: Any, finds: bool = True) -> dict[str, Any]:
    """Run ``event_trace --json``; return its parsed output."""
    answer: dict[str, Any] = json.loads(trace(*arguments, "--json", finds=finds))
    assert answer["found"] == finds
    return answer


def sent(bus: Bus, topic: str, *users: int) -> list[UUID]:
    """Send certificates of these users immediately, even inside a transaction; return the ids of the events."""
    ids = [uuid1() for _ in users]
    for user, event_id in zip(users, ids, strict=True):
        send(bus, topic, certificate(user), id=event_id, through={"EVENT_BUS_PRODUCER_MODE": "immediate"})
    return ids
