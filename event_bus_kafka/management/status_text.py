"""Formats the status of the bus as text of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from textwrap import wrap

from event_bus_kafka.operations.neglects.wording import MOST_COUNTED, span
from event_bus_kafka.operations.status.values import (
    Finding,
    GroupStatus,
    KafkaStatus,
    LastHour,
    RegistryStatus,
    Status,
    TableStatus,
    TopicStatus,
)
from event_bus_kafka.operations.workers import WorkerRun
from event_bus_kafka.shown import shown

WIDTH = 100
_ROWS = 20
"""Maximum number of rows of a table that are shown. ``--json`` prints all rows."""
_BARS = " ▁▂▃▄▅▆▇█"
_UNKNOWN = "?"
_TOPIC_TITLES = ("topic", "partitions", "records", "retention", "oldest record")
_GROUP_TITLES = ("group", "state", "members", "topics", "lag", "most of it on")
_RUN_TITLES = ("kind", "host:pid", "group or database", "version", "state", "heard of", "port", "obstacles")


def lines(status: Status) -> Iterator[str]:
    """Yield the lines of the text that shows ``status``."""
    yield f"{status.taken:%Y-%m-%d %H:%M:%S} UTC"
    if status.kafka:
        yield from _kafka(status.kafka)
    if status.registry:
        yield from _registry(status.registry)
    yield from _tables(status.tables)
    for one in status.unanswered:
        yield from _block(f"{'Failed look' if one.is_fault else 'No answer'}: {one.server}", [one.reason])
    found = status.findings
    if found is None:
        found = tuple(
            Finding(id=one.id, subject=one.subject, message=one.message, remedy=one.remedy) for one in status.neglects
        )
    title = "Neglected" if status.findings is None else "Findings"
    nothing = f"{title}: nothing{' of what is known' * bool(status.neglects_not_known)}"
    yield from ("", title if found else nothing)
    for finding in found:
        yield from _finding(finding)
    if status.neglects_not_known:
        yield from _block("Not known, whether these are neglected", [", ".join(status.neglects_not_known)])


def _kafka(kafka: KafkaStatus) -> Iterator[str]:
    yield _cut(f"Kafka     cluster {kafka.cluster}, {len(kafka.brokers)} brokers: {', '.join(kafka.brokers)}")
    yield from ("", f"Topics ({len(kafka.topics)})")
    topics = sorted(kafka.topics, key=lambda one: (one.partitions > 0, one.topic))
    yield from _table(_TOPIC_TITLES, [_topic_row(one) for one in topics])
    yield from ("", f"Groups ({len(kafka.groups)})")
    groups = sorted(kafka.groups, key=lambda one: (not one.refusal, -one.lag, one.group))
    yield from _table(_GROUP_TITLES, [_group_row(one) for one in groups])


def _topic_row(one: TopicStatus) -> Sequence[str]:
    if not one.partitions:
        return (one.topic, "not there", "", "", "")
    retention = span(one.retention_seconds) if one.retention_seconds is not None else one.policy and "for ever"
    if one.policy == "compact":
        retention = "compacted"
    records = _UNKNOWN if one.records is None else str(one.records)
    return (one.topic, str(one.partitions), records, retention or _UNKNOWN, _moment(one.oldest))


def _group_row(one: GroupStatus) -> Sequence[str]:
    members = _UNKNOWN if one.members is None else str(one.members)
    most = max(one.unread, key=lambda unread: unread.lag, default=None)
    lag = one.refusal and _UNKNOWN
    return (
        one.group,
        one.state or _UNKNOWN,
        members,
        str(one.topics),
        lag or str(one.lag),
        one.refusal or (most.topic if most else ""),
    )


def _registry(registry: RegistryStatus) -> Iterator[str]:
    yield from ("", _cut(f"Registry  compatibility {registry.level}"))


def _tables(tables: TableStatus) -> Iterator[str]:
    unknown = tables.not_known
    if tables.workers is not None:
        running = [one for one in tables.workers if one.liveness != "stopped"]
        yield from ("", f"Workers and relays ({len(running)}; {len(tables.workers) - len(running)} have stopped)")
        yield from _table(_RUN_TITLES, [_run_row(one) for one in running])
        yield from _obstacles(running)
    yield from _not_known("Workers and relays", unknown.get("workers"))
    for outbox in tables.outboxes:
        if outbox.rows is None:
            yield from _not_known(f"Outbox of {outbox.database}", unknown.get(f"rows of {outbox.database}"))
            continue
        waiting = sum(outbox.rows.values())
        oldest = f", the oldest for {span(outbox.oldest_seconds)}" if outbox.oldest_seconds is not None else ""
        yield from ("", _cut(f"Outbox of {outbox.database}: {waiting} wait{oldest}; {outbox.parked} parked"))
        rows = sorted(outbox.rows.items(), key=lambda one: (-one[1], one[0]))
        yield from _table(("topic", "rows"), [(topic, str(count)) for topic, count in rows])
    letters = tables.dead_letters
    if letters is not None:
        count = f"{letters.count}{' or more' * (letters.count >= MOST_COUNTED)}"
        ages = f", of {_moment(letters.oldest)} to {_moment(letters.newest)}" if letters.count else ""
        yield from ("", f"Dead letters: {count}{ages}")
    yield from _not_known("Dead letters", unknown.get("dead_letters"))
    yield from _not_known("Paused receivers", unknown.get("paused"))
    if tables.paused:
        yield from ("", f"Paused receivers ({len(tables.paused)})")
        yield from _table(("receiver", "since"), [(one.receiver, _moment(one.since)) for one in tables.paused])
    if tables.last_hour is not None:
        yield from _last_hour(tables.last_hour)
    yield from _not_known("Last hour", unknown.get("last_hour"))


def _not_known(what: str, why: str | None) -> Iterator[str]:
    if why is not None:
        yield from ("", _cut(f"{what}: not known: {why}"))


def _run_row(one: WorkerRun) -> Sequence[str]:
    what = one.group if one.kind == "consumer" else str(one.state.get("database", ""))
    return (
        one.kind,
        f"{one.host}:{one.pid}",
        what,
        one.version,
        one.liveness,
        f"{span(one.silence)} ago",
        str(one.state.get("health_port") or ""),
        str(len(one.state.get("obstacles") or ()) or ""),
    )


def _obstacles(running: Iterable[WorkerRun]) -> Iterator[str]:
    """Yield at most ``_ROWS`` obstacles, each in full, since the columns of the table are too narrow."""
    told = [(run, text) for run in running for text in run.state.get("obstacles") or ()]
    for run, text in told[:_ROWS]:
        yield from _wrapped(f"! {run.kind} {run.host}:{run.pid}: {text}", "  ", "    ")
    if len(told) > _ROWS:
        yield f"  … and {len(told) - _ROWS} more: --json has all"


def _last_hour(hour: LastHour) -> Iterator[str]:
    yield from ("", "Last hour" if hour.outcomes else "Last hour: no events")
    for outcome, minutes in hour.outcomes.items():
        yield f"  {outcome:<15}|{sparkline(minutes)}|{sum(minutes):>12}"


def sparkline(numbers: Sequence[int]) -> str:
    """Return a text with one bar for each number. The highest bar stands for the largest number, a space for 0."""
    most = max(numbers, default=0)
    return "".join(_BARS[-(-one * (len(_BARS) - 1) // most)] if most else _BARS[0] for one in numbers)


def _finding(one: Finding) -> Iterator[str]:
    yield from _block(f"! {one.id}: {one.subject}", [one.message, f"→ {one.remedy}"])


def _block(title: str, texts: Iterable[str]) -> Iterator[str]:
    yield _cut(title)
    for text in texts:
        yield from _wrapped(text, "    ", "    ")


def _wrapped(text: str, first: str, others: str) -> list[str]:
    """
    Split a text into lines. The first line begins with ``first``, all other lines with ``others``. Names with hyphens
    stay whole.
    """
    return wrap(shown(text), WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table. Texts in the widest columns are cut if the table is wider than :data:`WIDTH`."""
    if not rows:
        return
    cells = [titles, *([shown(cell) for cell in row] for row in rows[:_ROWS])]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    while sum(widths) + 2 * len(widths) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    for row in cells:
        line = "  ".join(_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {line}".rstrip()
    if len(rows) > _ROWS:
        yield f"  … and {len(rows) - _ROWS} more: --json has all"


def _cut(text: str, width: int = WIDTH) -> str:
    text = shown(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
