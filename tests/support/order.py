"""Creates certificates that are numbered per user, and asserts the order in which receivers got these certificates."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.projects.process import ServiceProcess
from tests.support.examples_of import certificate

CLASSIC = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 200}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "eager": CLASSIC | {"partition.assignment.strategy": "range"},
    "cooperative": CLASSIC | {"partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}
each_protocol = pytest.mark.parametrize("options", PROTOCOLS.values(), ids=PROTOCOLS)


def numbered(users: list[int], each: int, *, begin: int = 0) -> list[Any]:
    """Return ``each`` certificates per user. The users alternate. The grade of a certificate is its number."""
    return [certificate(user, grade=str(number)) for number in range(begin, begin + each) for user in users]


def assert_in_order(lines: list[dict[str, Any]], each: int) -> None:
    """
    Assert that each user has ``each`` events, and that these arrived once and in order. Also assert that the receiver
    never ran twice at the same time for the same user.
    """
    seen = defaultdict(list)
    for line in sorted(lines, key=lambda line: line["at"]):
        seen[line["user"]].append((line["what"], line["grade"]))
    expected = [(what, str(number)) for number in range(each) for what in ("begins", "ends")]
    assert seen == dict.fromkeys(seen, expected)


def event(line: dict[str, Any]) -> tuple[int, int]:
    return line["user"], int(line["grade"])


def assert_first_in_order(lines: list[dict[str, Any]], users: list[int], each: int) -> None:
    """
    Assert that all events of each user arrived, and that their first deliveries were in order. Each user has ``each``
    events.
    """
    first: dict[int, list[int]] = {user: [] for user in users}
    for line in sorted(lines, key=lambda line: line["at"]):
        user, number = event(line)
        if line["what"] == "begins" and number not in first[user]:
            first[user].append(number)
    assert first == {user: list(range(each)) for user in users}


def ended(process: ServiceProcess, count: int) -> None:
    process.wait_for(lambda: len(process.heard("ends")) >= count, f"for {count} events")
