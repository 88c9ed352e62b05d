"""Lists the dead letters of an event, existing and deleted, with the state of each receiver."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from event_bus_kafka.dead_letters import pending
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, EntryState
from event_bus_kafka.operations.whereabouts.answer import LetterPlace, ReceiverPart

_Place = tuple[str, str, int, int, str]
"""Group, topic, partition, offset and event id, which together identify a letter even after its deletion."""


def letter_places(letters: Iterable[DeadLetter], entries: Iterable[DeadLetterEntry]) -> list[LetterPlace]:
    """Return the existing letters, and the deleted letters that still have entries, in the order of their records."""
    settled: dict[_Place, list[DeadLetterEntry]] = {}
    for entry in entries:
        settled.setdefault(_place(entry), []).append(entry)
    found = {_place(letter): _open(letter, settled.pop(_place(letter), [])) for letter in letters}
    found |= {place: _gone(of_one) for place, of_one in settled.items()}
    return [found[place] for place in sorted(found, key=lambda place: place[1:])]


def _open(letter: DeadLetter, entries: list[DeadLetterEntry]) -> LetterPlace:
    parts = {one.receiver: _part(one) for one in entries}
    parts |= {
        name: ReceiverPart(
            receiver=name,
            state=EntryState.FAILED.value,
            attempts=failure.attempts or 0,
            error=failure.error,
            changed=round(datetime.fromisoformat(failure.failed_at).timestamp() * 1000),
        )
        for name, failure in pending.of_row(letter).items()
    }
    return LetterPlace(
        letter=letter.pk,
        is_open=True,
        group=letter.group,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        event_type=letter.event_type,
        event_id=letter.event_id,
        time=letter.timestamp,
        receivers=tuple(parts.values()),
    )


def _gone(entries: list[DeadLetterEntry]) -> LetterPlace:
    last = max(entries, key=lambda one: one.changed_at)
    return LetterPlace(
        letter=last.letter_id,
        is_open=False,
        group=last.group,
        topic=last.topic,
        partition=last.partition,
        offset=last.offset,
        event_type=last.event_type,
        event_id=last.event_id,
        time=None,
        receivers=tuple(map(_part, entries)),
    )


def _part(entry: DeadLetterEntry) -> ReceiverPart:
    return ReceiverPart(
        receiver=entry.receiver,
        state=entry.state,
        attempts=entry.attempts,
        error=entry.error,
        changed=entry.changed_at,
        stand_in=entry.stand_in,
    )


def _place(row: DeadLetter | DeadLetterEntry) -> _Place:
    return row.group, row.topic, row.partition, row.offset, row.event_id
