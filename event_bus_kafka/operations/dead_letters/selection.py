"""Which dead letters an operator means."""

from __future__ import annotations

import attrs

from event_bus_kafka.conf.routes import full_topic
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, DeadLetterEntryQuerySet, DeadLetterQuerySet


@attrs.frozen(kw_only=True)
class Selection:
    """Ids, or else filters that all have to hold; without any of them all dead letters are meant."""

    ids: tuple[int, ...] = ()
    group: str = ""
    topic: str = ""
    """With or without prefix."""
    event_type: str = ""
    receiver: str = ""
    """One that has still to succeed."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing restricts it."""
        return self == Selection()

    def letters(self) -> DeadLetterQuerySet:
        """Return the rows, in the order of their records, but for the receiver's part."""
        topics = {self.topic, full_topic(self.topic)} if self.topic else ()
        rows = DeadLetter.objects.matching(group=self.group, topics=topics, event_type=self.event_type)
        if self.ids:
            rows = rows.filter(pk__in=self.ids)
        return rows.without_contents().in_order()

    def pick(self, letters: DeadLetterQuerySet) -> list[DeadLetter]:
        """Return those of the receiver: what failed is JSON, which not every database can search."""
        return [letter for letter in letters if self.receiver in ("", *letter.failed_receivers)]

    def page(self, letters: DeadLetterQuerySet, limit: int) -> tuple[list[DeadLetter], int]:
        """Return the first of them, and how many there are beyond."""
        if self.receiver:
            picked = self.pick(letters)
            return picked[:limit], max(len(picked) - limit, 0)
        return list(letters[:limit]), max(letters.count() - limit, 0)

    def settled(self) -> DeadLetterEntryQuerySet:
        """Return what became of letters, also of those that are gone, by receiver; none before the migration."""
        if not DeadLetter.objects.keeps_entries():
            return DeadLetterEntry.objects.none()
        wanted = {
            "letter__in": self.ids,
            "group": self.group,
            "topic__in": {self.topic, full_topic(self.topic)} if self.topic else (),
            "event_type": self.event_type,
            "receiver": self.receiver,
        }
        return DeadLetterEntry.objects.settled().filter(**{name: value for name, value in wanted.items() if value})

    def unknown_ids(self) -> list[int]:
        """Return ids that no dead letter has."""
        known = set(self.letters().values_list("pk", flat=True))
        return [number for number in self.ids if number not in known]
