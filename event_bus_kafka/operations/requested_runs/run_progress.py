"""The progress of a requested run, as stored in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from event_bus_kafka.models import LetterState

if TYPE_CHECKING:  # it loads Kafka's client, which a web process does only for some pages
    from event_bus_kafka.kafka.offsets import Partition, Range

_REASONS, PROBLEMS = 50, 50
"""Limits for each run: number of reasons that are counted separately, and number of problems that are listed."""
_LONGEST_REASON, _LONGEST_TOKEN = 500, 200
"""Maximum lengths of stored texts, in characters."""
_OTHER = "other reasons"


@attrs.define(kw_only=True)
class Place:
    """The offsets that a replay reads in one partition, with the progress in this partition."""

    topic: str
    partition: int
    start: int
    end: int
    position: int
    """The first offset whose record is not finished."""

    @property
    def name(self) -> Partition:
        return self.topic, self.partition


@attrs.define(kw_only=True)
class RunProgress:
    """
    The progress of a run. If a worker dies, another worker continues from the saved progress. Only records before
    :attr:`Place.position`, and items up to :attr:`token`, are counted. So a record or item that is processed twice is
    counted once.
    """

    total: int = 0
    """Number of offsets, or of the source's items, when the request was made."""
    places: list[Place] = attrs.field(factory=list)
    """The partitions that a replay reads; empty for a backfill."""
    token: str | None = None
    """The backfill continues after the item with this token; None: it begins with the first item."""
    items: int = 0
    """Number of items that were sent or have failed."""
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: dict[str, dict[str, int]] = attrs.field(factory=dict)
    """State (``failed`` or ``skipped``) → reason → number of records or items."""
    problems: list[list[str]] = attrs.field(factory=list)
    """The first failures. Each is a list: the coordinates of the record or the token of the item, then the error."""
    deaths: int = 0
    """Number of consecutive workers that died while the run made no progress."""
    failures_in_row: int = 0
    """Number of items of a backfill that have failed since an item was sent."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> RunProgress:
        """Convert the value of :meth:`as_json` back. Fields that a later version has added are ignored."""
        places = [Place(**_known(Place, one)) for one in found.get("places", ())]
        return cls(**_known(cls, found) | {"places": places})

    @classmethod
    def of_ranges(cls, ranges: Mapping[Partition, Range]) -> RunProgress:
        """Return the progress of a replay that has not begun. ``ranges``: the offsets to read."""
        places = [
            Place(topic=topic, partition=number, start=one.start, end=one.end, position=one.start)
            for (topic, number), one in sorted(ranges.items())
        ]
        return cls(total=sum(one.end - one.start for one in places), places=places)

    def as_json(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @property
    def done(self) -> int:
        """Number of offsets or items that are finished."""
        return sum(one.position - one.start for one in self.places) if self.places else self.items

    @property
    def counts(self) -> Mapping[str, int]:
        """State → number of records or items. States with the number 0 are left out."""
        found = {
            LetterState.SUCCEEDED: self.succeeded,
            LetterState.FAILED: self.failed,
            LetterState.SKIPPED: self.skipped,
        }
        return {state.value: count for state, count in found.items() if count}

    def count(self, state: LetterState, where: str, reason: str = "") -> None:
        """Count the result of one record or item. ``where``: the record's coordinates or the item's token."""
        if state == LetterState.SUCCEEDED:
            self.succeeded += 1
            return
        if state == LetterState.FAILED:
            self.failed += 1
            if len(self.problems) < PROBLEMS:
                self.problems.append([where[:_LONGEST_TOKEN], reason[:_LONGEST_REASON]])
        else:
            self.skipped += 1
        self._give_reason(state, reason[:_LONGEST_REASON], 1)

    def leave_out(self, place: Place, to: int, reason: str) -> None:
        """
        Count the offsets from the position of ``place`` to ``to`` as skipped, because Kafka has deleted their records.
        Move the position to ``to``.
        """
        self.skipped += to - place.position
        self._give_reason(LetterState.SKIPPED, reason, to - place.position)
        place.position = to

    def _give_reason(self, state: LetterState, reason: str, count: int) -> None:
        counts = Counter(self.reasons.get(state, {}))
        counts[reason if reason in counts or len(counts) < _REASONS else _OTHER] += count
        self.reasons[state.value] = dict(counts)


def _known(kind: type[attrs.AttrsInstance], found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in attrs.fields_dict(kind) if name in found}
