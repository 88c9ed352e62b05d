"""A search for offsets by time skips no record that is written during the search."""

from __future__ import annotations

from typing import Any

import pytest

from event_bus_kafka.kafka.reader import Reader
from tests.services.bus import RealBus

pytestmark = pytest.mark.real


def test_a_search_for_offsets_by_time_does_not_skip_a_record_that_is_written_during_the_search(
    bus: RealBus, topic: str
) -> None:
    class Busy:
        """A client that writes a record during each search for offsets by time."""

        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def offsets_for_times(self, *arguments: Any, **named: Any) -> Any:
            found = self._client.offsets_for_times(*arguments, **named)
            bus.produce(topic, value=b"x", headers={})
            return found

    with Reader({"bootstrap.servers": bus.bootstrap_servers, "group.id": "any"}, timeout=30) as reader:
        reader._client = Busy(reader._client)
        assert reader.offsets_at([(topic, 0)], 1_000, timeout=30) == {(topic, 0): 0}
