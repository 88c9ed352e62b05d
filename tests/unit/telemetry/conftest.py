"""Fixtures for tests that count log records."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


def _is_of_the_test(record: logging.LogRecord) -> bool:
    return record.threadName != "event-bus-producer" or not record.getMessage().startswith("Kafka producer: ")


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """
    Ignore log records about brokers that have ended. Clients of earlier tests write these log records, because the
    clients exist as long as the process.
    """
    caplog.handler.addFilter(_is_of_the_test)
    yield caplog
    caplog.handler.removeFilter(_is_of_the_test)
