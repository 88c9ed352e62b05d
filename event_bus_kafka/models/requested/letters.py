"""The table of the letters in replay requests, with the result of each letter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from django.db import connections, models
from django.db.models.expressions import RawSQL

from event_bus_kafka.models.database_time import database_now, now_sql
from event_bus_kafka.models.moments import MomentField
from event_bus_kafka.models.replay_requests import OPEN, TAKEN_OVER_AFTER, ReplayRequest, ReplayRequestQuerySet
from event_bus_kafka.models.upserts import one_statement

_BATCH = 500
_LONGEST_TEXT = 10_000
"""Maximum length of a stored text, in characters. MySQL's limit is 65,535 bytes."""


class LetterState(models.TextChoices):
    """The state of a letter within a request."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """No receiver was called in this request."""
    PARTLY = "partly"
    """All receivers that ran have succeeded, but the dead letter remains for other receivers."""
    UNKNOWN = "unknown"
    """The worker died while the letter ran, and the dead letter does not show whether the letter succeeded."""


_LEFT = (LetterState.WAITING, LetterState.RUNNING)
"""States of letters that have not ended."""


class RequestedLetterQuerySet(models.QuerySet["RequestedLetter"]):
    """Reads and changes requested letters."""

    def add(self, letters: Iterable[RequestedLetter]) -> None:
        """Insert the letters in batches."""
        self.bulk_create(letters, batch_size=_BATCH)

    def left(self, request: int, *, after: int, most: int) -> list[RequestedLetter]:
        """
        Return at most ``most`` letters that have not ended and whose number is greater than ``after``, sorted by
        number. If a new worker of the request finds letters in the state ``running``, the worker before it has died.
        """
        rows = self.filter(request=request, state__in=_LEFT, number__gt=after)
        return list(rows.order_by("number")[:most])

    def without_result(self, request: int) -> list[int]:
        """Return the ids of a request's dead letters without a known result, in the order of the request."""
        return list(self.of(request, *_LEFT, LetterState.UNKNOWN).values_list("letter", flat=True))

    def unfinished(self, letters: Collection[int]) -> list[tuple[int, int, str, int, str]]:
        """
        Find the dead letters with ids ``letters`` that wait or run in requests that have not ended. Return one tuple
        for each letter and request: number of the request, time of the order, state of the request, id of the dead
        letter, state of the letter in the request. The tuples are sorted by request.
        """
        rows = self.filter(request__state__in=OPEN, state__in=_LEFT)
        if len(letters) > _BATCH:  # databases limit the number of values in a statement
            rows = rows.filter(letter__range=(min(letters), max(letters)))
        else:
            rows = rows.filter(letter__in=letters)
        wanted = frozenset(letters)
        columns = ("request", "request__requested_at", "request__state", "letter", "state")
        found = rows.order_by("request").values_list(*columns)
        return [(number, at, of, letter, state) for number, at, of, letter, state in found if letter in wanted]

    def orphaned(self, group: str) -> list[RequestedLetter]:
        """
        Return the letters of ``group`` that are still in the state ``running`` although their request has ended and its
        worker is gone. Either the worker has died, or it has lost the database before it could write their results.
        """
        running = self.filter(state=LetterState.RUNNING, request__group=group, request__ended_at__isnull=False)
        silent = models.Q(request__beat_at__lt=database_now(self.db) - round(TAKEN_OVER_AFTER * 1000))
        return list(running.filter(models.Q(request__claimed_by=None) | silent).order_by("pk")[:_BATCH])

    def begin(self, letter: RequestedLetter, claim: str) -> bool:
        """
        Mark a letter as running. ``claim``: the claim on its dead letter. Return False if another worker has begun the
        letter.
        """
        rows = self.filter(pk=letter.pk, state=letter.state, claim=letter.claim)
        changes = {"state": LetterState.RUNNING, "claim": claim, "tries": letter.tries + 1}
        with one_statement(self.db):
            return bool(rows.update(**changes))

    def put_back(self, letter: RequestedLetter, claim: str, failed_at: datetime | None) -> None:
        """
        Let a running letter wait again, because its replay had no result. ``failed_at``: time of the dead letter's last
        failure, which is stored with the letter; None: unchanged. The letter keeps ``claim``, which may still exist on
        the dead letter.
        """
        self._note(letter, claim, state=LetterState.WAITING, tries=0, failed_at=failed_at or letter.failed_at)

    def end(self, letter: RequestedLetter, claim: str, state: LetterState, error: str) -> None:
        """Write the result of a running letter."""
        now = RawSQL(now_sql(connections[self.db]), ())
        self._note(letter, claim, state=state, error=error[:_LONGEST_TEXT], claim="", changed_at=now)

    def counts(self, requests: Sequence[int]) -> Mapping[int, Mapping[str, int]]:
        """Return request → state → number of letters."""
        rows = self.filter(request__in=requests).order_by().values_list("request", "state")
        found: dict[int, dict[str, int]] = {one: {} for one in requests}
        for request, state, count in rows.annotate(count=models.Count("pk")):
            found[request][state] = count
        return found

    def of(self, request: int, *states: LetterState) -> RequestedLetterQuerySet:
        """Return the letters of a request that are in one of ``states``, sorted by number."""
        return self.filter(request=request, state__in=states).order_by("number")

    def reasons(self, request: int, *states: LetterState) -> Mapping[str, Mapping[str, int]]:
        """Return state → reason → number of the request's letters, largest number first, for each of ``states``."""
        rows = self.of(request, *states).order_by().values_list("state", "error").annotate(count=models.Count("pk"))
        found: dict[str, dict[str, int]] = {state.value: {} for state in states}
        for state, error, count in sorted(rows, key=lambda one: -one[2]):
            found[state][error] = count
        return found

    def topics(self, requests: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return request → full names of its letters' topics, sorted."""
        rows = self.filter(request__in=requests).order_by().values_list("request", "topic").distinct()
        found: dict[int, list[str]] = {one: [] for one in requests}
        for request, topic in sorted(rows):
            found[request].append(topic)
        return found

    def expired(self, requests: ReplayRequestQuerySet) -> RequestedLetterQuerySet:
        """Return the letters of expired ``requests``."""
        return self.filter(request__in=requests.order_by()).order_by("pk")

    def remove(self, ids: Sequence[int]) -> int:
        """Delete rows. Return the number of deleted rows."""
        return self.filter(pk__in=ids).delete()[0]

    def _note(self, letter: RequestedLetter, before: str, **values: object) -> None:
        with one_statement(self.db):  # a result is final: a worker that stood still may write another one later
            self.filter(pk=letter.pk, claim=before, state__in=_LEFT).update(**values)


class RequestedLetter(models.Model):
    """A dead letter of a replay request. The row stays when the dead letter is deleted."""

    request = models.ForeignKey(ReplayRequest, on_delete=models.CASCADE, related_name="letters")
    number = models.IntegerField()
    """Position within the request, in the order of the records."""
    letter = models.BigIntegerField()
    """Id of the dead letter; the dead letter itself may no longer exist."""
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    event_type = models.CharField(max_length=255)
    failed_at = MomentField()
    """
    Time of the dead letter's last failure when the request was made, or when the letter was last put back. If the
    letter has failed again since, it is skipped.
    """
    instead_of = models.CharField(max_length=500)
    """The receiver that the request's receiver replaces as a stand-in; empty: no receiver is replaced."""
    state = models.CharField(max_length=16, choices=LetterState.choices)
    error = models.TextField()
    """
    Why the letter failed or was skipped, or why its result is unknown. In the state ``partly``: the receivers for which
    the dead letter remains.
    """
    claim = models.CharField(max_length=40)
    """
    The claim that the latest replay of this letter has made on the dead letter. Empty if there was no replay yet, or if
    the replay has had a result.
    """
    tries = models.IntegerField(default=0)
    """Number of replays of the letter that have begun since it was last put back."""
    changed_at = models.BigIntegerField(null=True)

    objects = RequestedLetterQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["request", "state", "number"], name="event_bus_kafka_requested")]

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}, {self.state}"

    @property
    def coordinates(self) -> str:
        """The record's coordinates, as text: ``topic:partition:offset``."""
        return f"{self.topic}:{self.partition}:{self.offset}"
