"""Says how many of several workers or relays are ready."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin.shapes import Marked
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import shown


def readiness(several: Sequence[WorkerRun]) -> Marked:
    """Return how many of the running workers or relays are ready, and how many topics they hold."""
    ready = sum(not reasons_of(run) for run in several)
    text = gettext("%(ready)d of %(all)d ready") % {"ready": ready, "all": len(several)}
    held = len({one["topic"] for run in several for one in run.state.get("held_topics", ())})
    if held:
        topics = ngettext("%(count)d topic held", "%(count)d topics held", held) % {"count": held}
        text = f"{text}, {topics}"
    mark = "idle" if held else "good"
    return Marked(text=text, mark=mark if ready == len(several) else "bad")


def reasons_of(run: WorkerRun) -> list[str]:
    """Return the reasons why a worker or relay that writes heartbeats is not ready. Empty: it is ready."""
    obstacles = [shown(one) for one in run.state.get("obstacles", ())]
    return obstacles if obstacles or run.state.get("is_alive", True) else [gettext("it hangs")]
