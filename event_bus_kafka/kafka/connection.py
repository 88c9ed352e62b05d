"""
Tracks whether clients are connected to Kafka. Emits an event only when this state changes, not at each retry.

Errors alone are not enough, because a client reports no error if its broker is silent. A client also does not report
that the connection works again. So a consumer's statistics and a producer's delivery reports are examined, too.
"""

from __future__ import annotations

import json
from typing import Any

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.telemetry import emit
from event_bus_kafka.telemetry.events import CONNECTED, ConnectionChanged
from event_bus_kafka.trouble import Trouble

_EVERY_MS = 5_000
_SILENT = "the group's coordinator does not answer"


class Connection:
    """Tracks whether a group member is connected to Kafka. The methods are called in the thread that polls."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._state = ""
        self._troubled = self._silent = False
        self.options: dict[str, Any] = {"statistics.interval.ms": _EVERY_MS}
        """Client options with which the client reports statistics."""

    def on_error(self, failure: BrokerError) -> None:
        """Note an error that the client reported through its error callback."""
        if failure.kind is Trouble.UNAUTHENTICATED:
            self._troubled = True
            self._change(Trouble.UNAUTHENTICATED, failure.reason)
        elif failure.code == error_codes.ALL_BROKERS_DOWN:
            self._troubled = True
            if self._state != Trouble.UNAUTHENTICATED:  # brokers that refuse a login count as down, too
                self._change(Trouble.UNREACHABLE, failure.reason)

    def on_statistics(self, text: str) -> None:
        """Update the connection state from the client's statistics (JSON text)."""
        troubled, self._troubled = self._troubled, False
        was_silent, self._silent = self._silent, not _coordinator_answers(json.loads(text))
        if not self._silent and not troubled:
            self._change(CONNECTED, "")
        elif self._silent and was_silent and self._state == CONNECTED:  # silent twice: once may be a moving coordinator
            self._change(Trouble.UNREACHABLE, _SILENT)

    def _change(self, state: str, reason: str) -> None:
        if state != self._state:
            self._state = state
            emit(ConnectionChanged(client=self._client, state=str(state), reason=reason))


class Reach:
    """
    Tracks whether this process's producers reach Kafka. All producers share this state, because a relay makes new
    producers during an outage. So ConnectionChanged is emitted when any producer reaches Kafka again, even if another
    producer had lost the connection.
    """

    def __init__(self) -> None:
        self.is_lost = False

    def on_error(self, failure: BrokerError) -> None:
        """
        Note an error that a producer reported. Kafka counts as lost if the login is refused or all brokers are down. An
        error about a single broker changes nothing, because other brokers may work.
        """
        if failure.kind is Trouble.UNAUTHENTICATED or failure.code == error_codes.ALL_BROKERS_DOWN:
            self.is_lost = True

    def regain(self) -> None:
        """Note that a broker has answered."""
        if self.is_lost:
            self.is_lost = False
            emit(ConnectionChanged(client="producer", state=CONNECTED, reason=""))


def _coordinator_answers(statistics: dict[str, Any]) -> bool:
    coordinator = statistics["brokers"].get("GroupCoordinator", {})
    return (statistics.get("cgrp", {}).get("state"), coordinator.get("state")) == ("up", "UP")
