"""The log as these tests see it: they count its records."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


def _is_of_the_test(record: logging.LogRecord) -> bool:
    return record.threadName != "event-bus-producer" or not record.getMessage().startswith("Kafka producer: ")


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Leave out what the client of a test before, which lives as long as the process, says of its broker's end."""
    caplog.handler.addFilter(_is_of_the_test)
    yield caplog
    caplog.handler.removeFilter(_is_of_the_test)
