"""The charts of sent and received events, which are drawn from the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import attrs
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.charts import Chart, Series
from event_bus_kafka.models.history import Sums
from event_bus_kafka.operations.history import summed

_MINUTE = 60
_MAYBE_MISSING = 2
"""The number of latest slots whose counts may not be written yet, because processes write them once a minute."""
_NOTHING = Sums(count=0, seconds=0.0, longest=0.0)


@attrs.frozen(kw_only=True)
class ShownTime:
    """A period that charts show, divided into slots of equal length."""

    label: str | Promise
    slots: int
    step: int
    """Length of a slot in seconds."""

    def begins(self, now: datetime) -> list[datetime]:
        """
        Return the start of each slot. The last slot ends at ``now`` or before, because an unfinished slot would look as
        if the number of events had dropped.
        """
        end = int(now.timestamp()) // self.step * self.step
        return [datetime.fromtimestamp(end - index * self.step, UTC) for index in range(self.slots, 0, -1)]


TIMES = {
    "hour": ShownTime(label=_("Last hour"), slots=60, step=_MINUTE),
    "day": ShownTime(label=_("Last day"), slots=96, step=15 * _MINUTE),
    "week": ShownTime(label=_("Last week"), slots=168, step=60 * _MINUTE),
}


def charts_of(shown: ShownTime) -> Iterator[Chart]:
    """Yield the charts of a period. Raises a database error."""
    history = _History.read(shown)
    yield history.chart(
        gettext("Events a minute"),
        [
            Series(label=gettext("sent: confirmed by Kafka"), values=history.rates("delivered", "relayed")),
            Series(label=gettext("received"), values=history.rates("received")),
        ],
    )
    yield history.chart(
        gettext("Time from event to receivers"),
        [
            Series(label=gettext("on average"), values=history.averages("done")),
            Series(label=gettext("longest"), values=history.longest("done")),
        ],
        say=charts.duration,
    )
    yield history.chart(
        gettext("Failures"),
        [
            Series(label=gettext("retried"), values=history.counts("retried")),
            Series(label=gettext("became dead letters"), values=history.counts("dead-lettered")),
            Series(label=gettext("parked"), values=history.counts("parked")),
            Series(label=gettext("lost or rejected"), values=history.counts("lost", "rejected")),
        ],
    )


@attrs.frozen(kw_only=True)
class _History:
    """The history of a period. The methods return a value for each slot, in the order of ``begins``."""

    begins: Sequence[datetime]
    step: int
    sums: Mapping[tuple[int, str], Sums]
    """Start of a slot in milliseconds since the epoch, and outcome → numbers."""

    @classmethod
    def read(cls, shown: ShownTime) -> _History:
        begins = shown.begins(datetime.now(UTC))
        found = summed(begins[0], shown.step, ["outcome"])
        sums = {(slot, outcome): one for (slot, outcome), one in found.items()}
        return cls(begins=begins, step=shown.step, sums=sums)

    def chart(self, title: str, series: Sequence[Series], say: Callable[[float], str] = charts.count) -> Chart:
        return Chart(title=title, begins=self.begins, series=series, say=say, is_current=self._is_current())

    def _is_current(self) -> bool:
        """Return whether there is a count for one of the last two slots, of any outcome."""
        latest = {int(one.timestamp() * 1000) for one in self.begins[-_MAYBE_MISSING:]}
        return any(slot in latest for slot, _outcome in self.sums)

    def counts(self, *outcomes: str) -> list[float | None]:
        return [sum(one.count for one in several) for several in zip(*map(self._of, outcomes), strict=True)]

    def rates(self, *outcomes: str) -> list[float | None]:
        """Return the numbers of events per minute."""
        return [(count or 0) / (self.step / _MINUTE) for count in self.counts(*outcomes)]

    def averages(self, outcome: str) -> list[float | None]:
        return [one.seconds / one.count if one.count else None for one in self._of(outcome)]

    def longest(self, outcome: str) -> list[float | None]:
        return [one.longest if one.count else None for one in self._of(outcome)]

    def _of(self, outcome: str) -> list[Sums]:
        slots = (int(one.timestamp() * 1000) for one in self.begins)
        return [self.sums.get((slot, outcome), _NOTHING) for slot in slots]
