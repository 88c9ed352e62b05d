"""Says in a few sentences what became of an event, from the findings of a search. Names no event and no key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from event_bus_kafka.models import EntryState
from event_bus_kafka.operations.whereabouts.answer import GroupPlace, LetterPlace, Reached, Whereabouts
from event_bus_kafka.shown import shown

_NAMED = 3
"""Maximum number of groups or receivers in a sentence."""
_ENDS = {
    EntryState.SUCCEEDED: "Replayed: {names} succeeded.",
    EntryState.REPLACED: "Replayed: another receiver succeeded in place of {names}.",
    EntryState.DISCARDED: "Discarded: {names} will not get it any more.",
    EntryState.EXPIRED: "Given up: the dead letter of {names} was too old, and is deleted.",
    EntryState.FAILED: "Failed: {names}. The dead letter is deleted.",
}
"""State of receivers of deleted dead letters → the sentence about these receivers."""


def outcome(answer: Whereabouts) -> str:
    """
    Return sentences that say what became of the event, first about its existing dead letters. If the question is about
    a key, which several events may have, return the numbers of findings instead.
    """
    if not answer.is_found:
        return shown(_not_found(answer))
    several = _counted(answer) if answer.question.event_id is None else _of_event(answer)
    limits = ["Not all places could be searched: see below."] if answer.unseen else []
    return shown(" ".join([*several, *limits]))


def needs_hand(answer: Whereabouts) -> bool:
    """Return whether the event waits until a user acts: as a dead letter, or parked in the outbox."""
    return any(one.is_open for one in answer.letters) or any(one.is_parked for one in answer.outbox)


def _of_event(answer: Whereabouts) -> Iterator[str]:
    for letter in answer.letters:
        if letter.is_open:
            yield from _failures(letter)
    for row in answer.outbox:
        if row.is_parked:
            yield f"Parked in the outbox, as Kafka refused it ({row.code}): it waits for a release."
        else:
            yield "Waits in the outbox: no relay has sent it yet."
    yield from _groups(answer, [one for record in answer.records for one in record.groups])
    if any(not one.is_dead_letter and not one.groups for one in answer.records):
        yield "In Kafka: no group that could be seen has committed an offset there."
    yield from _ended(answer.letters)
    if answer.marks:
        yield f"Received: {_names(one.receiver for one in answer.marks)}."
    if answer.records and all(one.is_dead_letter for one in answer.records):
        yield "In Kafka, it is only on a topic of dead letters."


def _failures(letter: LetterPlace) -> Iterator[str]:
    for part in letter.receivers:
        if part.state == EntryState.FAILED:
            attempts = f"{part.attempts} attempt{'s' * (part.attempts != 1)}"
            yield f"Failed: {part.receiver or 'reading the record'}, {attempts}, {part.error or 'no reason is known'}."
    yield f"Its dead letter (number {letter.letter}) waits for a replay, once what failed is mended and deployed."


def _groups(answer: Whereabouts, groups: Sequence[GroupPlace]) -> Iterator[str]:
    failed = {one.group for one in answer.letters if one.is_open}
    names: dict[Reached, list[str]] = {}
    moved: list[str] = []
    for one in groups:
        if one.reached is Reached.BEYOND and one.group in failed:
            moved.append(f"The group {one.group} has moved on (committed offset {one.committed})")
        else:
            names.setdefault(one.reached, []).append(one.group)
    for text in dict.fromkeys(moved):
        yield f"{text}: it will not try again by itself."
    if waiting := [*names.get(Reached.BEHIND, ()), *names.get(Reached.NOTHING, ())]:
        yield f"On its way: {_those(waiting)} not finished it yet."
    if taken := names.get(Reached.TAKEN):
        yield f"Skipped: it was quarantined for {_names(taken)}."
    if beyond := names.get(Reached.BEYOND):
        known = "" if _has_failed(answer) else ", and no receiver failed as far as is known"
        yield f"Handled: {_those(beyond)} committed beyond it{known}."


def _ended(letters: Iterable[LetterPlace]) -> Iterator[str]:
    """Yield sentences about the receivers of deleted dead letters."""
    parts = [part for one in letters if not one.is_open for part in one.receivers]
    for state, text in _ENDS.items():
        names = [part.receiver or "reading the record" for part in parts if part.state == state]
        if names:
            yield text.format(names=_names(names))


def _counted(answer: Whereabouts) -> Iterator[str]:
    rows, records = len(answer.outbox), len(answer.records) + answer.more_records
    letters, marks = sum(one.is_open for one in answer.letters), len(answer.marks)
    told = [
        f"{count} {name}{'s' * (count != 1)}{place}"
        for count, name, place in (
            (letters, "dead letter", ""),
            (rows, "row", " of outboxes"),
            (records, "record", " in Kafka"),
            (len(answer.letters) - letters, "former dead letter", ""),
            (marks, "mark", " in inboxes"),
        )
        if count
    ]
    yield f"Found: {', '.join(told)}."


def _not_found(answer: Whereabouts) -> str:
    if answer.unseen or not all(one.is_complete for one in answer.scanned):
        return "Not found, but not all places could be searched: see below."
    if answer.gone:
        return "Not found: maybe Kafka has deleted it."
    return "Not found in the outbox, in Kafka or among dead letters."


def _has_failed(answer: Whereabouts) -> bool:
    return bool(answer.letters) or any(one.is_dead_letter for one in answer.records)


def _those(groups: Iterable[str]) -> str:
    several = list(dict.fromkeys(groups))
    return f"group {several[0]} has" if len(several) == 1 else f"groups {_names(several)} have"


def _names(names: Iterable[str]) -> str:
    several = list(dict.fromkeys(names))
    more = len(several) - _NAMED
    return f"{', '.join(several[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
