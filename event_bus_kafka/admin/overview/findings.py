"""The overview's list of everything that needs a hand: what is wrong, and what has waited for too long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

import attrs
from django.utils.translation import gettext, ngettext

from event_bus_kafka.admin import charts
from event_bus_kafka.admin.ages import age, moment
from event_bus_kafka.admin.overview.waiting_list import link_to_group, named
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.readiness import reasons_of
from event_bus_kafka.admin.shapes import Linked
from event_bus_kafka.models import DeadLetter, Heartbeat, ParkedRecord
from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect
from event_bus_kafka.operations.neglects.waiting import Waiting
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import shown
from event_bus_kafka.telemetry.health import Obstacle

_PAGES = {
    catalogue.OUTBOX_WAITS: ParkedRecord,
    catalogue.DEAD_LETTERS_GROW: DeadLetter,
    catalogue.DEAD_LETTERS_END: DeadLetter,
    catalogue.PARKED_ROWS_END: ParkedRecord,
    catalogue.TOPIC_HELD: ParkedRecord,
    catalogue.RECEIVER_PAUSED: Heartbeat,
    catalogue.GROUP_WITHOUT_WORKER: Heartbeat,
}
"""Kind of neglect → the model whose page helps to end the neglect."""


@attrs.frozen(kw_only=True)
class OverviewFinding:
    """An entry of the list."""

    sentence: str
    about: str
    """The thing that needs a hand, and the reason or extent."""
    remedy: str = ""
    link: Linked | None = None


def findings_of(
    page: Page, neglects: Sequence[Neglect], waits: Waiting, runs: Sequence[WorkerRun]
) -> Iterator[OverviewFinding]:
    """
    Yield three kinds of entries. First, one for all workers of a group, or all relays of a database, that are not ready
    for the same reason. Then one for each neglect. Last, one for each outbox whose rows have waited for too long,
    unless a neglect says so already.
    """
    yield from _unready(page, runs)
    for neglect in neglects:
        about = f"{shown(neglect.subject)}: {shown(neglect.message)}"
        since = gettext("Since %(time)s.") % {"time": moment(neglect.since)} if neglect.since else ""
        yield OverviewFinding(
            sentence=neglect.kind.sentence,
            about=f"{about} {since}".strip(),
            remedy=neglect.remedy,
            link=page.page_of(_PAGES[neglect.kind]).link if neglect.kind in _PAGES else None,
        )
    neglected = {one.subject for one in neglects if one.kind is catalogue.OUTBOX_WAITS}
    for database, seconds in waits.outboxes.items():
        if database not in neglected:
            told = {"database": database, "age": age(seconds)}
            yield OverviewFinding(
                sentence=gettext("Rows of the outbox have waited for more than 5 minutes."),
                about=gettext("%(database)s: the oldest row has waited for %(age)s.") % told,
                remedy=gettext("See which topics are held, and whether a relay runs and sends as much as comes."),
                link=page.page_of(ParkedRecord).link,
            )


def _unready(page: Page, runs: Iterable[WorkerRun]) -> Iterator[OverviewFinding]:
    several = defaultdict[tuple[str, str, str], list[WorkerRun]](list)
    for run in runs:
        name = run.group if run.kind == "consumer" else run.state.get("database", "")
        for reason in reasons_of(run) if run.is_alive else ():
            several[run.kind, name, reason].append(run)
    workers = page.page_of(Heartbeat)
    for (kind, name, reason), unready in sorted(several.items(), key=itemgetter(0)):
        text, link, remedy = _relays(len(unready)), workers.link, gettext("The relay's log says more.")
        if kind == "consumer":
            text, remedy = _workers(len(unready)), _remedy(reason)
            link = link_to_group(workers, name)
        sentence = text % {"count": len(unready), "name": shown(name) or gettext("unknown")}
        about = f"{named([f'{run.host}:{run.pid}' for run in unready])}: {reason.rstrip('.')}."
        about = " ".join(filter(None, (about, _lag(unready), _calls(unready, reason))))
        yield OverviewFinding(sentence=sentence, about=about, remedy=remedy, link=link)


def _remedy(reason: str) -> str:
    if reason.startswith(Obstacle.SLOW.value):
        return gettext(
            "See where the calls are in the code. If the receiver waits for a server, mend that. Otherwise pause the "
            "receiver there: its events then become dead letters; replay them after Resume."
        )
    return gettext("See what holds it up. The worker's log says more.")


def _lag(runs: Iterable[WorkerRun]) -> str:
    """Return a sentence that says how many records are left to the workers; empty: that is not known."""
    known = [one["lag"] for run in runs for one in run.state.get("partitions", ()) if one["lag"] is not None]
    lag = sum(known)
    text = ngettext("Lag: %(lag)s record.", "Lag: %(lag)s records.", lag)
    return text % {"lag": charts.count(lag)} if known else ""


def _calls(runs: Iterable[WorkerRun], reason: str) -> str:
    """Return a sentence about the running calls of the slow receiver in ``reason``; empty: ``reason`` names none."""
    calls = [one for run in runs for one in run.state.get("slow_receivers", ())]
    several = [one["seconds"] for one in calls if reason == f"{Obstacle.SLOW.value}: {shown(one['receiver'])}"]
    if not several:
        return ""
    text = ngettext("%(count)d slow call, for %(age)s.", "%(count)d slow calls, the longest for %(age)s.", len(several))
    return text % {"count": len(several), "age": age(max(several))}


def _workers(count: int) -> str:
    return ngettext(
        "A worker of the group %(name)s is not ready.", "%(count)d workers of the group %(name)s are not ready.", count
    )


def _relays(count: int) -> str:
    return ngettext(
        "A relay of the database %(name)s is not ready.",
        "%(count)d relays of the database %(name)s are not ready.",
        count,
    )
