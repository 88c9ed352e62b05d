"""
The page of workers, relays and consumer groups, with their progress and obstacles. Users pause and resume receivers
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from shlex import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext

from event_bus_kafka.admin.actions import ActionPlan, confirm_and_apply
from event_bus_kafka.admin.ages import age
from event_bus_kafka.admin.pages import Page
from event_bus_kafka.admin.start_commands import start_worker
from event_bus_kafka.admin.workers.partitions_table import partitions_tables
from event_bus_kafka.admin.workers.pending_letters import PendingLetters
from event_bus_kafka.admin.workers.receivers_table import pauses_table, receivers_table
from event_bus_kafka.admin.workers.slow_calls import slow_calls
from event_bus_kafka.admin.workers.worker_tables import (
    groups_table,
    lag_of_group,
    relays_table,
    state_of_group,
    workers_table,
)
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.models import DeadLetter, Heartbeat, ParkedRecord, PausedReceiver, Right
from event_bus_kafka.operations.groups import groups, receivers
from event_bus_kafka.operations.neglects.in_tables import ended_groups
from event_bus_kafka.operations.pauses import PausePlan, paused_receivers, plan_pause, plan_resume
from event_bus_kafka.operations.workers import WorkerRun, workers
from event_bus_kafka.shown import shown


class WorkersPage(Page):
    """
    Shows all workers and relays in the table of heartbeats, which keeps rows for about a day. A page below this one
    shows a single consumer group.
    """

    tables = (Heartbeat, PausedReceiver)

    def below(self) -> Iterator[URLPattern]:
        yield self.page_at("groups/<path:group>/", self.group, "group")
        yield self.action_at("pause/", self.pause, "pause", Right.OPERATE)
        yield self.action_at("resume/", self.resume, "resume", Right.OPERATE)

    def show(self, request: HttpRequest) -> HttpResponse:
        runs, pauses = workers(), paused_receivers()
        several, called = groups(runs, settings.subscriptions), receivers(runs, pauses)
        letters = PendingLetters.of([one.name for one in called], self.page_of(DeadLetter).url())
        urls = self._urls(request)
        context = {
            "groups": groups_table(several, pauses, _neglected(runs), partial(self.url, "group")),
            "workers": workers_table([run for run in runs if run.kind == "consumer"], start_worker()),
            "relays": relays_table([run for run in runs if run.kind == "relay"]),
            "has_held_topics": any(run.is_alive and run.state.get("held_topics") for run in runs),
            "outbox": self.page_of(ParkedRecord),
            "receivers": receivers_table(called, letters, urls),
            "letters_may_overlap": letters.may_overlap,
            "slow": slow_calls(runs, pause_url=urls.get("pause", "")),
            "slow_after": age(settings.slow_receiver),
        }
        return self.draw(request, "workers", self.title, context)

    def group(self, request: HttpRequest, group: str) -> HttpResponse:
        """Show the partitions and offsets of a consumer group."""
        runs = workers()
        found = next((one for one in groups(runs, settings.subscriptions) if one.group == group), None)
        if found is None:
            raise Http404
        urls = self._urls(request)
        partitions, without_lag = partitions_tables(found)
        context = {
            "state": state_of_group(found, is_neglected=group in _neglected(runs)),
            "obstacles": list(map(shown, found.obstacles)),
            "pauses": pauses_table(found.pauses(paused_receivers()), urls),
            "workers": workers_table([run for run in runs if run.kind == "consumer" and run.group == group]),
            "partitions": partitions,
            "without_lag": without_lag,
            "letters_url": self.page_of(DeadLetter).filtered(group=group),
            "has_full_window": found.has_full_window,
            "slow": slow_calls(found.runs, pause_url=urls.get("pause", "")),
            "slow_after": age(settings.slow_receiver),
            "has_workers": bool(found.runs),
            "start": found.start_command if settings.heartbeat and not found.runs else "",
            "lag": lag_of_group(found),
            "lag_command": f"manage.py event_offsets show -g {quote(group)}",
            "reset": f"manage.py event_offsets reset -g {quote(group)} -t TOPIC --to-time TIME",
        }
        return self.draw(request, "group", gettext("Group %(group)s") % {"group": shown(group)}, context)

    def pause(self, request: HttpRequest) -> HttpResponse:
        """
        Pause a receiver if the POST is confirmed; otherwise ask for confirmation. Until the receiver is resumed, its
        events become dead letters. Other receivers continue.
        """
        return self._change(request, plan_pause(request.POST.get("receiver", "")))

    def resume(self, request: HttpRequest) -> HttpResponse:
        """End the pause of a receiver if the POST is confirmed; otherwise ask for confirmation."""
        return self._change(request, plan_resume(request.POST.get("receiver", "")))

    def _change(self, request: HttpRequest, found: PausePlan | None) -> HttpResponse:
        if found is None:
            raise Http404
        reason = request.POST.get("reason", "").strip()

        def apply() -> str:
            done, about = found.apply(reason), {"receiver": found.receiver, "reason": reason}
            if not found.pauses:
                return gettext("Resumed %(receiver)s.") % about + f" {done}"
            return (gettext("Paused %(receiver)s: %(reason)s.") if reason else gettext("Paused %(receiver)s.")) % about

        nothing = gettext("Somebody has done it already: nothing is to be done.")
        plan = ActionPlan(
            title=gettext("Pause a receiver") if found.pauses else gettext("Resume a receiver"),
            sentences=[found.sentence, _about_replays(found)] if found.sentence else [nothing],
            button=gettext("Pause") if found.pauses else gettext("Resume"),
            is_empty=not found.sentence,
            reason_label=gettext("Reason (shown to other operators; no personal data; may be empty):")
            if found.pauses
            else "",
            object_id=found.receiver,
        )
        return confirm_and_apply(self, request, plan, apply)

    def _urls(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the URLs of the actions ``pause`` and ``resume``; empty if the user has no right to these actions."""
        may_operate = Right.OPERATE.is_given_to(request.user)
        return {name: self.url(name) for name in ("pause", "resume")} if may_operate else {}


def _neglected(runs: Sequence[WorkerRun]) -> set[str]:
    """Return the groups of which the overview says that they have records to read, and no worker."""
    return {one.subject for one in ended_groups(runs, datetime.now(UTC))}


def _about_replays(plan: PausePlan) -> str:
    if plan.pauses:
        return gettext(
            "After Resume, replay them on the page of dead letters: Resume alone does not. A replay calls a "
            "receiver even while it is paused."
        )
    return gettext("Events that became dead letters meanwhile stay there: replay them on the page of dead letters.")
