"""Finds neglects of consumer groups, given the status of the groups in Kafka."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from event_bus_kafka.operations.neglects.catalogue import GROUP_WITHOUT_WORKER, RETENTION_ENDS, Neglect
from event_bus_kafka.operations.status.values import GroupStatus


def neglects(groups: Iterable[GroupStatus], *, alive: Collection[str] | None) -> Iterator[Neglect]:
    """
    Yield the neglects. ``alive``: groups whose workers have recent heartbeats; None: unknown. If the brokers do not
    list a group's members, ``alive`` decides whether the group has a worker.
    """
    for one in groups:
        by_heartbeat = None if alive is None else one.group in alive
        has_worker = by_heartbeat if one.has_members is None else one.has_members
        if one.lag and has_worker is False:
            message = f"It has {one.lag} records to read and no worker."
            yield Neglect(kind=GROUP_WITHOUT_WORKER, subject=one.group, message=message)
        for unread in one.unread:
            if unread.lost or unread.ends_soon:
                gone = f"{unread.lost} records were deleted before the group read them" if unread.lost else ""
                soon = "the oldest of its unread records will soon be deleted" if unread.ends_soon else ""
                message = f"{'; '.join(filter(None, (gone, soon)))}.".capitalize()
                yield Neglect(kind=RETENTION_ENDS, subject=f"{one.group} on {unread.topic}", message=message)
