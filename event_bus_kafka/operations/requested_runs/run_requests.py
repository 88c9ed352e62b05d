"""Makes requests for runs: replays of topics, and backfills."""

from __future__ import annotations

from typing import Any

import attrs
from django.db import connections, router, transaction

from event_bus_kafka.models import ReplayRequest, RequestedRun, RequestState, RunKind
from event_bus_kafka.models.database_time import database_now
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.dead_letters.request_plan import STOP_AFTER
from event_bus_kafka.operations.requested_runs.run_progress import RunProgress

_NO_GROUP = ""
"""
The ``group`` of a request with a run. It is empty, so that workers of the previous version leave the request alone:
they know no runs, and take only requests of their own group.
"""


@attrs.frozen(kw_only=True)
class TopicArguments:
    """The arguments of a replay of a topic. The offsets are part of the run's progress."""

    topic: str
    """Full name of the topic."""
    event_type: str | None = None
    key: str | None = None
    """
    The key in plain text; None: any key. No page, log line or history shows the key, because it may identify a person.
    """
    since: int | None = None
    """
    Only records whose timestamp is at least ``since`` and less than ``before`` are replayed. Milliseconds since the
    epoch; None: no limit.
    """
    before: int | None = None


@attrs.frozen(kw_only=True)
class BackfillArguments:
    """The arguments of a backfill. The token is part of the run's progress."""

    source: str
    """Name of the source: ``app_label.function``."""
    event_type: str
    limit: int | None = None
    """Maximum number of items to send; None: no limit."""


@attrs.frozen(kw_only=True)
class RunWish:
    """An operator's choices for a run."""

    arguments: TopicArguments | BackfillArguments
    progress: RunProgress
    group: str = ""
    """The group whose workers may take the run. Empty, for backfills only: any worker that has the source."""
    receiver: str = ""
    """The only receiver that a replay calls; empty: the replay calls all receivers. Always empty for a backfill."""
    rate: float | None = None
    """Maximum number of records or items per second; None: no limit."""
    stop_after: int = STOP_AFTER
    """The run ends after this number of consecutive failures."""
    requested_by: str = ""
    reason: str = ""

    @property
    def kind(self) -> RunKind:
        return RunKind.TOPIC if isinstance(self.arguments, TopicArguments) else RunKind.BACKFILL


def are_possible() -> bool:
    """Whether the tables of requested runs exist. Raises a database error if the database does not answer."""
    return were_found(connections[router.db_for_write(ReplayRequest)], ReplayRequest, RequestedRun)


def request_run(wish: RunWish) -> ReplayRequest:
    """Create a replay request with a run. Raises a database error."""
    alias = router.db_for_write(ReplayRequest)
    with transaction.atomic(using=alias):
        request = ReplayRequest.objects.using(alias).create(
            group=_NO_GROUP,
            receiver=wish.receiver,
            receivers=[wish.receiver] if wish.receiver else [],
            requested_at=database_now(alias),
            state=RequestState.REQUESTED,
            rate=wish.rate,
            stop_after=wish.stop_after,
            requested_by=wish.requested_by,
            reason=wish.reason,
        )
        RequestedRun.objects.using(alias).create(
            request=request,
            kind=wish.kind,
            group=wish.group,
            arguments=attrs.asdict(wish.arguments),
            progress=wish.progress.as_json(),
        )
    return request


def arguments_of(run: RequestedRun) -> TopicArguments | BackfillArguments:
    """
    Return the arguments of a run, without fields that a later version has added. Raises ValueError if a later version
    has added the run's kind.
    """
    kind: type[Any] = TopicArguments if RunKind(run.kind) is RunKind.TOPIC else BackfillArguments
    known = {name: run.arguments[name] for name in attrs.fields_dict(kind) if name in run.arguments}
    found: TopicArguments | BackfillArguments = kind(**known)
    return found
