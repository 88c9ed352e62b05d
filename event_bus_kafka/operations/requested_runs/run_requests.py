"""Requests replays of topics, and backfills."""

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
"""Group of a request with a run: workers of the version before look for requests of their group alone."""


@attrs.frozen(kw_only=True)
class TopicArguments:
    """The arguments of a replay of a topic; the offsets are in its progress."""

    topic: str
    """The full name."""
    event_type: str | None = None
    key: str | None = None
    """In plain text. It may identify a person: no page, log line or history shows it."""
    since: int | None = None
    """Milliseconds since the epoch, as is ``before``, which is not included."""
    before: int | None = None


@attrs.frozen(kw_only=True)
class BackfillArguments:
    """The arguments of a backfill; the token is in its progress."""

    source: str
    """``app_label.function``."""
    event_type: str
    limit: int | None = None
    """Items that are sent at most."""


@attrs.frozen(kw_only=True)
class RunWish:
    """An operator's choices for a run."""

    arguments: TopicArguments | BackfillArguments
    progress: RunProgress
    group: str = ""
    """The group whose workers do it; empty, for backfills alone: any worker that has the source."""
    receiver: str = ""
    """The only receiver that runs; empty: all that listen."""
    rate: float | None = None
    """Records or items a second at most."""
    stop_after: int = STOP_AFTER
    """Failures in a row that end it."""
    requested_by: str = ""
    reason: str = ""

    @property
    def kind(self) -> RunKind:
        return RunKind.TOPIC if isinstance(self.arguments, TopicArguments) else RunKind.BACKFILL


def are_possible() -> bool:
    """Whether the tables are there. Raises a database error where that cannot be found out."""
    return were_found(connections[router.db_for_write(ReplayRequest)], ReplayRequest, RequestedRun)


def request_run(wish: RunWish) -> ReplayRequest:
    """Make a request with its run. Raises a database error."""
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
    Return the arguments of a run; later versions may have added fields. Raises ValueError if they have added its kind.
    """
    kind: type[Any] = TopicArguments if RunKind(run.kind) is RunKind.TOPIC else BackfillArguments
    known = {name: run.arguments[name] for name in attrs.fields_dict(kind) if name in run.arguments}
    found: TopicArguments | BackfillArguments = kind(**known)
    return found
