"""Finds neglects in the service's tables. Import this module only if the app is installed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from event_bus_kafka.operations.neglects import catalogue
from event_bus_kafka.operations.neglects.catalogue import Neglect, Neglected, NeglectKind, OwnTables
from event_bus_kafka.operations.neglects.reading import (
    HEARTBEATS,
    LETTERS,
    OF_OUTBOX,
    PAUSES,
    Beats,
    LetterRows,
    OutboxRows,
    PauseRows,
    questions,
)
from event_bus_kafka.operations.neglects.wording import number, span
from event_bus_kafka.operations.status.asking import Ask, Unanswered, ask_all, each_once, here
from event_bus_kafka.operations.workers import WorkerRun

_KINDS = {
    HEARTBEATS: (catalogue.TOPIC_HELD, catalogue.GROUP_WITHOUT_WORKER, catalogue.CLOCK_OFF),
    LETTERS: (catalogue.DEAD_LETTERS_GROW, catalogue.DEAD_LETTERS_END),
    PAUSES: (catalogue.RECEIVER_PAUSED,),
}
_OF_OUTBOX = (catalogue.OUTBOX_WAITS, catalogue.PARKED_ROWS_END)
_OF_RUNS = (catalogue.OUTBOX_WAITS, catalogue.TOPIC_HELD, catalogue.GROUP_WITHOUT_WORKER)


def neglects(
    *, outboxes: Collection[str], own: OwnTables, runs: Sequence[WorkerRun] | None = None, ask: Ask = here
) -> Neglected:
    """
    Return the neglects in all databases that answer. No statement counts a whole table. Each age is measured with the
    clock of the row's database. A missing table yields no neglect.

    ``outboxes``: aliases of the databases whose outbox is checked. ``runs``: workers and relays; None: read them from
    the heartbeats. ``ask``: asks a database; by default, one database after the other, in this thread.
    """
    return neglected(ask_all(questions(outboxes, runs), ask), own)


def neglected(answers: Mapping[str, Any], own: OwnTables) -> Neglected:
    """
    Find neglects in the answers to :func:`.reading.questions`. Other answers are ignored.

    A kind of neglect is unknown if the answer that could show it is None or :class:`Unanswered`. A kind that needs
    heartbeats is also unknown if ``own.heartbeats`` is False, or if the heartbeats' database did not answer.
    """
    outboxes = {name: one for name, one in answers.items() if name.startswith(OF_OUTBOX)}
    mine = {name: answers[name] for name in (*_KINDS, *outboxes)}
    silent = [one for one in mine.values() if isinstance(one, Unanswered)]
    runs = _runs(mine[HEARTBEATS]) if own.heartbeats else None
    unknown = {kind for name, one in mine.items() if _is_unknown(one) for kind in _kinds(name)}
    unknown |= set() if runs is not None else {*_OF_RUNS}
    found = [one for told in mine.values() for one in _of_answer(told, own, runs)]
    return Neglected(neglects=in_order(found), unknown=frozenset(unknown), unanswered=each_once(silent))


def in_order(found: Iterable[Neglect]) -> tuple[Neglect, ...]:
    """Sort neglects in the order of the catalogue."""
    return tuple(sorted(found, key=lambda one: catalogue.CATALOGUE.index(one.kind)))


def _is_unknown(answer: object) -> bool:
    return answer is None or isinstance(answer, Unanswered)


def _kinds(question: str) -> tuple[NeglectKind, ...]:
    return _KINDS.get(question, _OF_OUTBOX)


def _runs(beats: Beats | Unanswered | None) -> Sequence[WorkerRun] | None:
    """Return the workers and relays; empty: the table of heartbeats is missing; None: the database did not answer."""
    return beats.runs if isinstance(beats, Beats) else () if beats is None else None


def _of_answer(answer: object, own: OwnTables, runs: Sequence[WorkerRun] | None) -> Iterator[Neglect]:
    """Yield the neglects in the answer to one question. ``runs``: workers and relays; None: unknown."""
    if isinstance(answer, Beats):
        yield from _clock(answer.alias, answer.ahead)
        yield from _held_topics(runs or (), answer.now)
        yield from ended_groups(runs or (), answer.now)
    elif isinstance(answer, OutboxRows):
        yield from _parked_rows(answer, own.retention)
        yield from _waiting_rows(answer, runs) if runs is not None else ()
    elif isinstance(answer, LetterRows):
        yield from _letters(answer, own)
    elif isinstance(answer, PauseRows):
        yield from _pauses(answer)


def _waiting_rows(outbox: OutboxRows, runs: Sequence[WorkerRun]) -> Iterator[Neglect]:
    waited = outbox.now - outbox.oldest
    if waited > catalogue.OUTBOX_AFTER and (why := _why_unsent(outbox.alias, runs)):
        message = f"The oldest row has waited for {span(waited.total_seconds())}; {why}."
        yield Neglect(kind=catalogue.OUTBOX_WAITS, subject=outbox.alias, message=message, since=outbox.oldest)


def _why_unsent(alias: str, runs: Sequence[WorkerRun]) -> str:
    """Return why no relay sends the rows of a database's outbox; empty: a relay sends them."""
    relays = [run for run in runs if run.kind == "relay" and run.state["database"] == alias and run.is_alive]
    if not relays:
        return "no relay is known to run"
    if any(run.state["is_alive"] and not run.state["obstacles"] for run in relays):
        return ""
    obstacles = "; ".join(relays[0].state["obstacles"]) or "it hangs"
    return f"the relay {relays[0].host}:{relays[0].pid} cannot send: {obstacles}"


def _parked_rows(outbox: OutboxRows, retention: float) -> Iterator[Neglect]:
    """Yield a neglect if parked rows are near their deletion."""
    near = sorted(since for _, since in outbox.parked if since < outbox.now - _nearly(retention))
    if near:
        message = f"{number(len(near), 'parked row')} will be deleted, from {_last_day(near[0], retention)} on."
        yield Neglect(kind=catalogue.PARKED_ROWS_END, subject=outbox.alias, message=message, since=near[0])


def _letters(letters: LetterRows, own: OwnTables) -> Iterator[Neglect]:
    if not letters.failed:
        return
    first, now = letters.failed[0], letters.now
    if letters.new:
        groups = ", ".join(name for name, _ in letters.new.most_common(3))
        message = (
            f"{number(letters.new.total(), 'dead letter')} came within the last day, of {groups}; the oldest has "
            f"waited for {_age(first, now)}."
        )
        yield Neglect(kind=catalogue.DEAD_LETTERS_GROW, subject=letters.alias, message=message, since=first)
    near = sum(failed < now - _nearly(own.retention) for failed in letters.failed)
    if near and own.letters_expire:
        message = f"{number(near, 'dead letter')} will be deleted, from {_last_day(first, own.retention)} on."
        yield Neglect(kind=catalogue.DEAD_LETTERS_END, subject=letters.alias, message=message, since=first)


def _pauses(pauses: PauseRows) -> Iterator[Neglect]:
    for receiver, paused_at in pauses.paused:
        if paused_at < pauses.now - catalogue.PAUSED_AFTER:
            message = f"It has been paused for {_age(paused_at, pauses.now)}."
            yield Neglect(kind=catalogue.RECEIVER_PAUSED, subject=receiver, message=message, since=paused_at)


def _held_topics(runs: Sequence[WorkerRun], now: datetime) -> Iterator[Neglect]:
    for run in runs:
        for held in run.state.get("held_topics", ()) if run.is_alive else ():
            if held["seconds"] > catalogue.HELD_AFTER.total_seconds():
                since = now - timedelta(seconds=run.silence + held["seconds"])
                message = f"The relay {run.host}:{run.pid} has held it for {_age(since, now)}: {held['reason']}."
                yield Neglect(kind=catalogue.TOPIC_HELD, subject=held["topic"], message=message, since=since)


def ended_groups(runs: Sequence[WorkerRun], now: datetime) -> Iterator[Neglect]:
    """Yield a neglect for each group whose workers have all ended, if the last of them knew of records to read."""
    consumers = [run for run in runs if run.kind == "consumer"]
    alive = {run.group for run in consumers if run.is_alive}
    last = {run.group: run for run in reversed(consumers) if run.group not in alive}  # of several, the latest
    for group, run in last.items():
        lag = sum(one["lag"] or 0 for one in run.state["partitions"])
        if lag:
            how, since = "died" if run.liveness == "dead" else "ended", now - timedelta(seconds=run.silence)
            message = f"Its last worker {how} {span(run.silence)} ago and knew of {lag} records to read."
            yield Neglect(kind=catalogue.GROUP_WITHOUT_WORKER, subject=group, message=message, since=since)


def _clock(alias: str, ahead: float) -> Iterator[Neglect]:
    if abs(ahead) > catalogue.CLOCK_OFF_BY.total_seconds():
        way = "behind" if ahead > 0 else "ahead of"
        message = f"The clock of this host is {span(abs(ahead))} {way} the database's."
        yield Neglect(kind=catalogue.CLOCK_OFF, subject=alias, message=message)


def _nearly(retention: float) -> timedelta:
    """
    Return the age at which a row begins to count as near its deletion. ``retention``: days for which rows are kept.
    """
    kept = timedelta(days=retention)
    return kept - min(catalogue.NEAR_THE_END, kept * catalogue.NEAR_THE_END_SHARE)


def _last_day(since: datetime, retention: float) -> str:
    return f"{since + timedelta(days=retention):%Y-%m-%d}"


def _age(since: datetime, now: datetime) -> str:
    return span((now - since).total_seconds())
