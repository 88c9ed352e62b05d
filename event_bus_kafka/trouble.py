"""Kinds of trouble between a client and Kafka."""

from __future__ import annotations

from enum import StrEnum


class Trouble(StrEnum):
    """The kinds of trouble that consumers, health and logs distinguish."""

    UNREACHABLE = "unreachable"
    """No broker answers."""
    UNAUTHENTICATED = "unauthenticated"
    """The login or a certificate is refused, by the client or by the broker."""
    FORBIDDEN = "forbidden"
    """The client is logged in but lacks the right."""
    MISSING = "missing"
    """The topic or the partition does not exist."""
    REPLACED = "replaced"
    """Another member of the group has the same ``group.instance.id``."""
    REFUSED = "refused"
    """A request was refused, and the client has stopped so that nothing overtakes it."""
    MOVING = "moving"
    """The group, its coordinator or a leader is moving: try again."""
    OTHER = "other"
