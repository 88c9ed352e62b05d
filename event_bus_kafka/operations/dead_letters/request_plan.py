"""Plans and creates replay requests: orders to workers to replay dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

import attrs
from django.db import router, transaction

from event_bus_kafka.dispatching import dispatch
from event_bus_kafka.models import DeadLetter, LetterState, ReplayRequest, RequestedLetter, RequestState
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.operations.dead_letters.replay_plan import ReplayPlan, is_new_stand_in, plan_all
from event_bus_kafka.operations.dead_letters.selection import Selection

STOP_AFTER = 20
"""Default for ``stop_after``: a request ends after this number of failed letters in a row."""


@attrs.frozen(kw_only=True)
class Wish:
    """An operator's choices for a replay."""

    receiver: str = ""
    """The only receiver that runs; empty: all pending receivers run."""
    instead_of: str = ""
    """The missing receiver that ``receiver`` replaces; empty: the plan chooses it if only one is missing."""
    rate: float | None = None
    """Maximum number of letters replayed per second; None: no limit."""
    stop_after: int = STOP_AFTER
    requested_by: str = ""
    reason: str = ""


@attrs.frozen(kw_only=True)
class RequestPlan:
    """The plans of the selected letters, in three lists."""

    run: Sequence[ReplayPlan] = ()
    """Plans of the letters for which at least one receiver of this service would run."""
    elsewhere: Sequence[ReplayPlan] = ()
    """
    Plans of the letters whose pending receivers all belong to another service, which stores its letters in the same
    table. Workers of that service decide which receivers run.
    """
    left_out: Sequence[ReplayPlan] = ()
    """
    Plans of the letters that no request contains, because no receiver could run. ``problem`` of each plan says why.
    """

    @property
    def groups(self) -> list[str]:
        """
        Return the consumer groups of the letters that requests would contain. Each group gets a request of its own.
        """
        return sorted({one.letter.group for one in self.requested})

    @property
    def requested(self) -> list[ReplayPlan]:
        """Return the plans of the letters that requests would contain."""
        return [*self.run, *self.elsewhere]

    @property
    def all(self) -> list[ReplayPlan]:
        """Return the plans of all letters, including letters that no request would contain."""
        return [*self.requested, *self.left_out]

    @property
    def receivers(self) -> Mapping[str, int]:
        """
        Return receiver → number of letters for which the receiver would run in this service, largest number first.
        """
        return dict(Counter(name for one in self.run for name in one.run).most_common())

    @property
    def missing(self) -> Mapping[str, int]:
        """
        Return receiver → number of requested letters for which the receiver is pending, largest number first. Contains
        only receivers that this service lacks and that no stand-in replaces.
        """
        names = (name for one in self.requested for name in one.missing if name not in one.stands_in.values())
        return dict(Counter(names).most_common())

    def topics(self, group: str) -> list[str]:
        """Return the full names of the topics of a group's letters."""
        return sorted({one.letter.topic for one in self._of(group)})

    def wanted(self, group: str, wish: Wish) -> list[str]:
        """Return the receivers of the group's request. A worker that has none of them does not take the request."""
        return _wanted(self._of(group), wish)

    def _of(self, group: str) -> list[ReplayPlan]:
        return [one for one in self.requested if one.letter.group == group]


def plan_request(selected: Selection, wish: Wish) -> RequestPlan:
    """
    Plan requests for the selected letters. Writes nothing.

    If ``wish.receiver`` is given, and no ids are selected, the plan omits each letter for which this receiver would run
    neither here nor in another service. It keeps a letter if the operator must first name the receiver that is
    replaced. If no letter would be kept, the plan contains all selected letters, each with its problem.
    """
    plans = plan_all(selected.pick(selected.letters()), wish.receiver, wish.instead_of)
    if wish.receiver and not selected.ids:
        of_receiver = [one for one in plans if one.run or one.is_ambiguous or _is_elsewhere(one, wish)]
        plans = of_receiver or plans  # if no letter fits, each is returned with its problem
    elsewhere = [one for one in plans if not one.run and _is_elsewhere(one, wish)]
    known = {one.letter.pk for one in elsewhere}
    return RequestPlan(
        run=[one for one in plans if one.run],
        elsewhere=elsewhere,
        left_out=[one for one in plans if not one.run and one.letter.pk not in known],
    )


def make(planned: RequestPlan, wish: Wish) -> list[ReplayRequest]:
    """
    Create one request for each consumer group, all in one transaction. The letters of a request are in the order of
    their records.
    """
    alias = router.db_for_write(ReplayRequest)
    letters = sorted(planned.requested, key=lambda one: (one.letter.group, *_place(one.letter)))
    now = database_now(alias)
    with transaction.atomic(using=alias):
        return [
            _make(alias, group, list(plans), wish, now)
            for group, plans in groupby(letters, key=lambda one: one.letter.group)
        ]


def _make(alias: str, group: str, plans: Sequence[ReplayPlan], wish: Wish, now: int) -> ReplayRequest:
    request = ReplayRequest.objects.using(alias).create(
        group=group,
        receivers=_wanted(plans, wish),
        requested_at=now,
        state=RequestState.REQUESTED,
        **attrs.asdict(wish),
    )
    RequestedLetter.objects.using(alias).add(
        RequestedLetter(
            request=request,
            number=number,
            letter=one.letter.pk,
            topic=one.letter.topic,
            partition=one.letter.partition,
            offset=one.letter.offset,
            event_type=one.letter.event_type,
            failed_at=one.letter.last_failed_at,
            instead_of=_instead_of(one, wish),
            state=LetterState.WAITING,
        )
        for number, one in enumerate(plans)
    )
    return request


def _wanted(plans: Sequence[ReplayPlan], wish: Wish) -> list[str]:
    names = {name for one in plans for name in (one.run or one.letter.failed_receivers)}
    return [wish.receiver] if wish.receiver else sorted(names)


def _instead_of(planned: ReplayPlan, wish: Wish) -> str:
    """Return the receiver that ``wish.receiver`` would replace in the replay of the letter; empty: no receiver."""
    return planned.stands_in[wish.receiver] if is_new_stand_in(planned, wish.receiver) else wish.instead_of


def _is_elsewhere(planned: ReplayPlan, wish: Wish) -> bool:
    """
    Whether a worker of another service must decide which receivers run, because this service has none of the pending
    receivers. If ``wish.receiver`` is given, this service must also lack this receiver, and the receiver must be
    pending or a stand-in for ``wish.instead_of``.
    """
    names = planned.letter.failed_receivers
    if not names or planned.is_ambiguous or not set(names) <= set(planned.missing):
        return False
    if not wish.receiver:
        return True
    is_here = wish.receiver in dispatch.receiver_names()
    return not is_here and (wish.receiver in names or bool(wish.instead_of))


def _place(letter: DeadLetter) -> tuple[str, int, int, int]:
    return letter.topic, letter.partition, letter.offset, letter.pk
