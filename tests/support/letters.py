"""Creates dead letters for tests. The record of each dead letter is a certificate for which a receiver failed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.assembly.consuming import processor
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.dead_letters.letter import Failure, Letter, identity
from event_bus_kafka.dead_letters.table_store import remove, store
from event_bus_kafka.models import DeadLetter, DeadLetterEntry, EntryState
from event_bus_kafka.operations.dead_letters.letter_replay import LetterReplay, Replayed
from event_bus_kafka.operations.dead_letters.replay_plan import ReplayPlan
from event_bus_kafka.operations.dead_letters.restoring import Originals
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.records import ConsumerRecord, Event, ProducerRecord
from tests.services.bus import CREATED
from tests.support.examples_of import certificate

TOPIC = "prod-certificates"
FAILED_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@contextmanager
def service_with(sandbox: Sandbox, *receivers: Callable[..., None]) -> Iterator[None]:
    """
    While the block runs, connect ``receivers`` to the signal of certificates. The service uses the sandbox's registry,
    and has no broker.
    """
    for receiver in receivers:
        CERTIFICATE_CREATED.connect(receiver)
    with override_settings(
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=sandbox.schema_registry_url, EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9"
    ):
        yield
    for receiver in receivers:
        CERTIFICATE_CREATED.disconnect(receiver)


def record_of(user: int, *, offset: int = 0, topic: str = TOPIC, **changes: Any) -> ConsumerRecord:
    """Return the record of a user's certificate. The registry in the settings contains the schemas of the record."""
    framed = _framed(user, settings.schema_registry_url)
    values: dict[str, Any] = {"key": framed.key, "value": framed.value, "headers": framed.headers} | changes
    return ConsumerRecord(topic=topic, partition=0, offset=offset, timestamp=1_767_323_045_678, **values)


@cache
def _framed(user: int, _registry_url: str) -> ProducerRecord:
    event = Event(
        signal=CERTIFICATE_CREATED,
        data={"certificate": certificate(user)},
        metadata=EventsMetadata(event_type=CREATED),
    )
    with closing(registry_of_settings()) as registry:
        return serde.frame(serde.encode(event, topic=TOPIC, key_field="certificate.user.id"), registry)


def stored(record: ConsumerRecord, *receivers: str, **changes: Any) -> DeadLetter:
    """Store a dead letter for which ``receivers`` failed. If none are given, no receiver was called for its record."""
    return store(letter_of(record, *receivers, **changes))


def letter_of(
    record: ConsumerRecord,
    *receivers: str,
    group: str = "mail",
    failed_at: datetime = FAILED_AT,
    error: str = "ValueError",
    place: str = "",
) -> Letter:
    """Return a dead letter for which ``receivers`` failed. ``place``: where they raised their exceptions."""
    event_type, event_id = identity(record)
    return Letter(
        group=group,
        record=record,
        event_type=event_type,
        event_id=event_id,
        failures=tuple(Failure(receiver=name, error=error, place=place) for name in receivers or [""]),
        attempts=5,
        failed_at=failed_at,
    )


def multiply(letter: DeadLetter, changes: Iterable[dict[str, Any]]) -> None:
    """
    For each item of ``changes``, store a copy of a letter and of its entries. The item contains the columns that differ
    in the copy of the letter.
    """
    letter = DeadLetter.objects.with_marks().get(pk=letter.pk)
    entries = list(letter.entries.all())
    rest = iter(changes)
    while some := list(islice(rest, 1000)):
        letters = [_copy(letter, id=None, **change) for change in some]
        DeadLetter.objects.bulk_create(letters)
        if letters[0].pk is None:  # MySQL does not return the keys
            letters = list(DeadLetter.objects.order_by("-pk")[: len(some)])
        DeadLetterEntry.objects.bulk_create(
            _copy(entry, id=uuid4(), letter_id=one.pk, offset=one.offset, group=one.group)
            for one in letters
            for entry in entries
        )


def _copy(row: Any, **changes: Any) -> Any:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**values | changes)


def discard(letter: DeadLetter) -> int:
    """Discard a dead letter unless the letter has changed after it was read; return the number of discarded letters."""
    return remove({letter.pk: letter.last_failed_at}, EntryState.DISCARDED)


def states() -> dict[str, str]:
    """
    Return the state of each entry by the last part of its receiver's name. If another receiver ran as a stand-in, the
    name of the stand-in follows the state.
    """
    return {
        entry.receiver.rpartition(".")[2]: entry.state
        + (f" by {entry.stand_in.rpartition('.')[2]}" if entry.stand_in else "")
        for entry in DeadLetterEntry.objects.all()
    }


def replayed(planned: ReplayPlan) -> Replayed:
    """Run the planned replay in this process; return its result."""
    with closing(registry_of_settings()) as registry:
        return LetterReplay(lambda store: processor("", store, registry), Originals(reader_for)).run(planned)


def run(*arguments: Any) -> str:
    """Run ``event_dead_letters``; return its output."""
    output = io.StringIO()
    call_command("event_dead_letters", *map(str, arguments), stdout=output, no_color=True)
    return output.getvalue()
