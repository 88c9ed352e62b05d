"""Kinds of trouble between a client and Kafka."""

from __future__ import annotations

from enum import StrEnum


class Trouble(StrEnum):
    """The kinds of trouble that consumers, health and logs distinguish."""

    UNREACHABLE = "unreachable"
    """No broker answers."""
    UNAUTHENTICATED = "unauthenticated"
    """The client or the broker refuses the login or a certificate."""
    FORBIDDEN = "forbidden"
    """The client is logged in but lacks a permission."""
    MISSING = "missing"
    """The topic or the partition does not exist."""
    REPLACED = "replaced"
    """Another member of the group has the same ``group.instance.id``."""
    REFUSED = "refused"
    """
    The broker refused a request, and the client has stopped so that later records do not overtake the refused one.
    """
    MOVING = "moving"
    """The group, its coordinator or a partition's leader is moving. The same request will succeed later."""
    OTHER = "other"
