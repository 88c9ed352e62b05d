"""Sentences on the plan of a run: the records or items that it would process, and the effects."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from event_bus_kafka.admin.replay_requests.run_receivers import basis
from event_bus_kafka.operations.requested_runs.run_obstacles import obstacle_before_run
from event_bus_kafka.operations.requested_runs.run_progress import PROBLEMS, RunProgress
from event_bus_kafka.operations.requested_runs.run_requests import RunWish, TopicArguments
from event_bus_kafka.producing.backfill import Source
from event_bus_kafka.shown import shown


def topic_sentences(wish: RunWish, arguments: TopicArguments) -> list[str]:
    if not wish.progress.total:
        return [_("There is no record in this range: nothing would be replayed.")]
    found = [
        _("Workers of group %(group)s would give records of topic %(topic)s to receivers again: %(receivers)s.")
        % {
            "group": shown(wish.group),
            "topic": shown(arguments.topic),
            "receivers": shown(wish.receiver) or _("all that listen there"),
        },
        _size(wish.progress),
        _("They do it between the records that they read; live events come first."),
        _(
            "Each receiver is called once for each record, without retries. A failure makes no new dead letter: it is "
            "counted, and the first %(count)s are listed on the page of the request."
        )
        % {"count": PROBLEMS},
        basis(arguments, wish.receiver),
    ]
    if arguments.event_type or arguments.key or arguments.since is not None or arguments.before is not None:
        found.append(_("Which records fit is seen when they are read: the offsets below have others too."))
    return found


def backfill_sentences(wish: RunWish, source: Source, topics: str) -> list[str]:
    if not wish.progress.total:
        return [_("The source has no item in this range: nothing would be sent.")]
    return [
        _("%(count)s items of %(source)s would be sent as events of type %(type)s, to: %(topics)s.")
        % {
            "count": f"{wish.progress.total:,}",
            "source": source.name,
            "type": source.signal.event_type,
            "topics": topics,
        },
        _("A worker does it between the records that it reads. Receivers in this service get none of them."),
    ]


def repetition(wish: RunWish, paused: int) -> str:
    """
    Return the warning that effects of receivers may be repeated; empty: nothing would run. ``paused``: the number of
    paused receivers in the table of receivers.
    """
    if not wish.progress.total:
        return ""
    repeats = _(
        "Receivers that succeeded before run again too: mails, certificates and the like may happen twice. Receivers "
        "can tell by is_replay()."
    )
    about_paused = ngettext(
        " %(count)s receiver is paused, and would be called nevertheless.",
        " %(count)s receivers are paused, and would be called nevertheless.",
        paused,
    )
    return repeats + (about_paused % {"count": paused} if paused else "")


def obstacle(wish: RunWish) -> str:
    """Return why no worker would take the run, with the remedy; empty: a worker would take it, or nothing would run."""
    return shown(obstacle_before_run(wish)) if wish.progress.total else ""


def _size(progress: RunProgress) -> str:
    partitions = ngettext("%(count)s partition", "%(count)s partitions", len(progress.places)) % {
        "count": f"{len(progress.places):,}"
    }
    return _("%(offsets)s in %(partitions)s: at most as many records.") % {
        "offsets": offsets_words(progress),
        "partitions": partitions,
    }


def offsets_words(progress: RunProgress) -> str:
    return ngettext("%(count)s offset", "%(count)s offsets", progress.total) % {"count": f"{progress.total:,}"}


def items_words(progress: RunProgress) -> str:
    return ngettext("%(count)s item", "%(count)s items", progress.total) % {"count": f"{progress.total:,}"}
