"""Selects dead letters by the criteria that an operator gives."""

from __future__ import annotations

from datetime import datetime

import attrs
from django.db.models import Exists, OuterRef

from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.dead_letters.pending import of_row
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, DeadLetterEntryQuerySet, DeadLetterQuerySet, EntryState
from event_bus_kafka.operations.dead_letters.coordinates import Coordinates
from event_bus_kafka.operations.dead_letters.key_search import bodies_of
from event_bus_kafka.wire import serde


@attrs.frozen(kw_only=True)
class Selection:
    """Criteria for dead letters. A letter is selected if it matches all criteria that are given."""

    ids: tuple[int, ...] = ()
    group: str = ""
    topic: str = ""
    """The topic's name, with or without prefix."""
    event_type: str = ""
    receiver: str = ""
    """Name of a receiver. A letter is selected only if this receiver is pending."""
    error: str = ""
    """
    Text that must occur in the error of ``receiver`` or, if ``receiver`` is empty, of any pending receiver. Case is
    ignored.
    """
    failed_since: datetime | None = None
    """A letter is selected only if its last failure was at this time or later."""
    failed_until: datetime | None = None
    """A letter is selected only if its last failure was at this time or earlier."""
    event_id: str = ""
    place: Coordinates | None = None
    """Coordinates of the record. The topic may lack the prefix."""
    key: str = ""
    """The key in plain text. Only keys that are strings or whole numbers are found."""

    def letters(self) -> DeadLetterQuerySet:
        """
        Return the letters that match all criteria except ``receiver`` and ``error``, in the order of their records.
        MySQL ignores the case of names. :meth:`pick` compares names exactly, and applies the two other criteria.
        """
        return self._rows().without_contents().in_order()

    def candidates(self) -> DeadLetterQuerySet:
        """
        Return an unsorted query. The caller then finds the selected letters in the result by :meth:`holds`.

        The query may return too many letters: MySQL ignores the case of names, and before the migration that creates
        the table of entries, ``receiver`` and ``error`` are not compared. It may return too few: with ``receiver`` or
        ``error``, it lacks letters that an earlier version stored, until a worker has written their entries.
        """
        rows = self._rows()
        if (self.receiver or self.error) and DeadLetter.objects.keeps_entries():
            wanted = {"receiver": self.receiver, "error__icontains": self.error}
            entries = DeadLetterEntry.objects.using(rows.db).filter(letter=OuterRef("pk"), state=EntryState.FAILED)
            rows = rows.filter(Exists(entries.filter(**{name: value for name, value in wanted.items() if value})))
        return rows

    def holds(self, letter: DeadLetter) -> bool:
        """
        Whether a letter from :meth:`candidates` or :meth:`letters` is selected. Names that differ in case count as
        different.
        """
        exact = {"group": self.group, "event_type": self.event_type}
        if any(value and getattr(letter, name) != value for name, value in exact.items()):
            return False
        if self.topic and letter.topic not in _names(self.topic):
            return False
        return not (self.receiver or self.error) or any(
            self.receiver in ("", failure.receiver) and self.error.lower() in failure.error.lower()
            for failure in of_row(letter).values()
        )

    def pick(self, letters: DeadLetterQuerySet) -> list[DeadLetter]:
        """
        Return the selected letters in ``letters``, a query that :meth:`letters` has returned. ``receiver`` and
        ``error`` are compared in Python, because not every database can search JSON.
        """
        return [letter for letter in letters if self.holds(letter)]

    def page(self, letters: DeadLetterQuerySet, limit: int) -> tuple[list[DeadLetter], int]:
        """Return the first ``limit`` selected letters in ``letters``, and the number of the other selected letters."""
        if self.receiver or self.error:
            picked = self.pick(letters)
            return picked[:limit], max(len(picked) - limit, 0)
        return list(letters[:limit]), max(letters.count() - limit, 0)

    def settled(self) -> DeadLetterEntryQuerySet:
        """
        Return the selected entries of receivers that are no longer pending, even if their letters are deleted.
        ``failed_since`` and ``failed_until`` select by the time of an entry's last change. Empty before the migration
        that creates the table of entries, and for a selection by key, because entries have no keys.
        """
        if self.key or not DeadLetter.objects.keeps_entries():
            return DeadLetterEntry.objects.none()
        wanted = {
            "letter__in": self.ids,
            "group": self.group,
            "topic__in": _names(self.place.topic if self.place else self.topic),
            "event_type": self.event_type,
            "event_id": self.event_id,
            "receiver": self.receiver,
            "error__icontains": self.error,
            "changed_at__gte": self.failed_since and _milliseconds(self.failed_since),
            "changed_at__lte": self.failed_until and _milliseconds(self.failed_until),
        }
        entries = DeadLetterEntry.objects.settled().filter(**{name: one for name, one in wanted.items() if one})
        return entries.filter(partition=self.place.partition, offset=self.place.offset) if self.place else entries

    def unknown_ids(self) -> list[int]:
        """Return the ids in :attr:`ids` for which :meth:`letters` returns no letter."""
        known = set(self.letters().values_list("pk", flat=True))
        return [number for number in self.ids if number not in known]

    def _rows(self) -> DeadLetterQuerySet:
        place = self.place
        rows = DeadLetter.objects.matching(
            group=self.group,
            topics=_names(place.topic if place else self.topic),
            event_type=self.event_type,
            event_id=self.event_id,
            place=(place.partition, place.offset) if place else None,
        )
        rows = rows.failed_between(self.failed_since, self.failed_until)
        if self.key:
            rows = rows.with_key(bodies_of(self.key), behind=serde.FRAME_BYTES)
        return rows.filter(pk__in=self.ids) if self.ids else rows


def _names(topic: str) -> set[str]:
    return {topic, full_topic(topic)} if topic else set()


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
