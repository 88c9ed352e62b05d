"""A source for backfills. It yields the certificates of the users 1 to COUNT."""

import os
from collections.abc import Iterator
from typing import Any

from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import backfill_source
from tests.support.examples_of import certificate

COUNT = int(os.environ.get("COUNT", 0))


@backfill_source(CERTIFICATE_CREATED, count=lambda after: COUNT - int(after or 0))
def certificates(after: str | None) -> Iterator[Any]:
    for user in range(int(after or 0) + 1, COUNT + 1):
        yield user, {"certificate": certificate(user, grade=str(user))}
