"""Checks that a consumer group has no members. While a group has members, Kafka refuses commits by other clients."""

from __future__ import annotations

from event_bus_kafka.errors import BrokerError, EventBusError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.reader import Reader


def refuse_members(reader: Reader, group: str, refusal: type[EventBusError]) -> None:
    """Raise ``refusal`` if the group has members or its members are unknown. The message names a remedy."""
    members = members_of(reader, group)
    if members is None:
        raise refusal("Brokers such as the sandbox do not list a group's members: use a real Kafka.")
    if members:
        raise refusal(
            f"Group {group} has live members: {', '.join(members)}. Stop its workers first; one that crashed counts "
            "until its session times out (session.timeout.ms, 45 seconds by default)."
        )


def members_of(reader: Reader, group: str) -> list[str] | None:
    """Return the group's members; None: the brokers cannot list members. Raises :class:`BrokerError`."""
    try:
        return reader.members(group)
    except BrokerError as error:
        if error.code == error_codes.GROUP_ID_NOT_FOUND:
            return []
        if error.code == error_codes.UNSUPPORTED_FEATURE:
            return None
        raise
