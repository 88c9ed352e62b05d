"""Counts the dead letters of receivers, and links to the page that lists them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlencode

import attrs
from django.db import router
from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.pages import beside
from event_bus_kafka.admin.shapes import Linked
from event_bus_kafka.models import DeadLetter, DeadLetterEntry
from event_bus_kafka.operations.neglects.wording import MOST_COUNTED
from event_bus_kafka.operations.status.asking import Unanswered


@attrs.frozen(kw_only=True)
class PendingLetters:
    """The dead letters for which receivers are pending."""

    url: str
    """The URL of the page of dead letters."""
    counts: Mapping[str, int] | None
    """
    Receiver → number of dead letters; at most :data:`MOST_COUNTED` in all. None: unknown, because the table is missing
    or its database did not answer.
    """

    @classmethod
    def of(cls, receivers: Collection[str], url: str) -> PendingLetters:
        """Count the dead letters of ``receivers`` with one SQL statement."""
        alias = router.db_for_write(DeadLetter)

        def look() -> Mapping[str, int] | None:
            if not DeadLetter.objects.keeps_entries():
                return None
            return DeadLetterEntry.objects.using(alias).pending_by_receiver(receivers, MOST_COUNTED)

        found = beside(alias)(f"database {alias}", look).wait()
        return cls(url=url, counts=None if isinstance(found, Unanswered) else found)

    @property
    def may_overlap(self) -> bool:
        """
        Whether several receivers have dead letters. If so, their numbers must not be added, because several receivers
        may be pending for the same letter.
        """
        return sum(count > 0 for count in (self.counts or {}).values()) > 1

    def link(self, receiver: str) -> Linked | None:
        """
        Return a link to the receiver's dead letters, without a number if the number is unknown; None if there are none.
        """
        is_complete = self.counts is not None and sum(self.counts.values()) < MOST_COUNTED
        count = (self.counts or {}).get(receiver, 0)
        if is_complete and not count:
            return None
        text = gettext("its dead letters")
        if count:
            text = ngettext("%(count)s dead letter", "%(count)s dead letters", count)
            number = charts.count(count)
            text %= {"count": number if is_complete else gettext("%(count)s or more") % {"count": number}}
        return Linked(text=text, url=f"{self.url}?{urlencode({'receiver': receiver})}")
