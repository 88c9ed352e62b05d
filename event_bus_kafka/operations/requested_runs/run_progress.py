"""The progress of a requested run, as its row has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from event_bus_kafka.models import LetterState

if TYPE_CHECKING:  # comes with Kafka's client, which web processes load when they need it
    from event_bus_kafka.kafka.offsets import Partition, Range

_REASONS, _PROBLEMS = 50, 50
"""Reasons that are counted one by one, and problems that are listed, in each run."""
_LONGEST_REASON, _LONGEST_TOKEN = 500, 200
"""Characters."""
_OTHER = "other reasons"


@attrs.define(kw_only=True)
class Place:
    """The offsets of one partition that a replay reads."""

    topic: str
    partition: int
    start: int
    end: int
    position: int
    """The first offset whose record may have to be given to receivers still."""

    @property
    def name(self) -> Partition:
        return self.topic, self.partition


@attrs.define(kw_only=True)
class RunProgress:
    """
    Progress from which another worker can go on. Everything that is counted lies before the positions, or before the
    token; so nothing is counted twice, whatever comes twice.
    """

    total: int = 0
    """Offsets, or items of a source, at the time of the request."""
    places: list[Place] = attrs.field(factory=list)
    """Empty for a backfill."""
    token: str | None = None
    """The token of the last item that was sent, or cannot be sent; None: the backfill is at its beginning."""
    items: int = 0
    """Items that were sent, or cannot be sent."""
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: dict[str, dict[str, int]] = attrs.field(factory=dict)
    """For each of the states ``failed`` and ``skipped`` the reasons, with the number of records or items."""
    problems: list[list[str]] = attrs.field(factory=list)
    """Coordinates or token, and error, of the first that failed."""
    deaths: int = 0
    """Workers in a row that have died and made no progress."""
    failures_in_row: int = 0
    """Items of a backfill that have failed since one was sent."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> RunProgress:
        """Read the value of :meth:`as_json`; later versions may have added fields."""
        known = {name: found[name] for name in attrs.fields_dict(cls) if name in found}
        return cls(**known | {"places": [Place(**one) for one in found.get("places", ())]})

    @classmethod
    def of_ranges(cls, ranges: Mapping[Partition, Range]) -> RunProgress:
        """Return the progress of a replay that is to begin."""
        places = [
            Place(topic=topic, partition=number, start=one.start, end=one.end, position=one.start)
            for (topic, number), one in sorted(ranges.items())
        ]
        return cls(total=sum(one.end - one.start for one in places), places=places)

    def as_json(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @property
    def done(self) -> int:
        """Offsets or items that need no further look."""
        return sum(one.position - one.start for one in self.places) if self.places else self.items

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many records or items ended in which state."""
        found = {
            LetterState.SUCCEEDED: self.succeeded,
            LetterState.FAILED: self.failed,
            LetterState.SKIPPED: self.skipped,
        }
        return {state.value: count for state, count in found.items() if count}

    def count(self, state: LetterState, where: str, reason: str = "") -> None:
        """Count the result of one record or item; ``where``: its coordinates, or token."""
        if state == LetterState.SUCCEEDED:
            self.succeeded += 1
            return
        if state == LetterState.FAILED:
            self.failed += 1
            if len(self.problems) < _PROBLEMS:
                self.problems.append([where[:_LONGEST_TOKEN], reason[:_LONGEST_REASON]])
        else:
            self.skipped += 1
        self._give_reason(state, reason[:_LONGEST_REASON], 1)

    def leave_out(self, place: Place, to: int, reason: str) -> None:
        """Move a position past offsets whose records are gone."""
        self.skipped += to - place.position
        self._give_reason(LetterState.SKIPPED, reason, to - place.position)
        place.position = to

    def _give_reason(self, state: LetterState, reason: str, count: int) -> None:
        counts = Counter(self.reasons.get(state, {}))
        counts[reason if reason in counts or len(counts) < _REASONS else _OTHER] += count
        self.reasons[state.value] = dict(counts)
