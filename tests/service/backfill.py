"""A source of certificates: of users 1 to COUNT, in a service that is in trouble for some of them."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import backfill_source
from tests.examples_of import certificate
from tests.service.apps import say


def _count(after: str | None) -> int:
    return int(os.environ["COUNT"]) - int(after or 0)


@backfill_source(CERTIFICATE_CREATED, count=_count)
def certificates(after: str | None) -> Iterator[Any]:
    first = int(after or 0) + 1
    say("source", first=first)
    for user in range(first, int(os.environ["COUNT"]) + 1):
        if user == int(os.environ.get("ENDS_AT", 0)):
            raise ValueError("learner@example.com")
        yield user, partial(_arguments, user)


def _arguments(user: int) -> dict[str, Any]:
    if user == int(os.environ.get("BROKEN", 0)):
        raise ValueError("learner@example.com")
    grade: Any = 7 if user == int(os.environ.get("WRONG", 0)) else "0.9"
    return {"certificate": certificate(user, grade=grade)}
