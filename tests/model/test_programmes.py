"""
In random programmes of transactions, an event is sent if and only if its transaction is committed. An event in mode
``immediate`` is always sent, and so is an event outside of transactions. No row is lost without an exception.

Hypothesis generates the programmes. They run on real databases, with a reachable or an unreachable Kafka. With
HYPOTHESIS_PROFILE=long Hypothesis generates many programmes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

import attrs
import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from openedx_events.data import EventsMetadata
from openedx_events.event_bus import EventBusProducer
from openedx_events.learning.signals import CERTIFICATE_CREATED
from pytest_django import DjangoDbBlocker

from event_bus_kafka.models import OutboxRecord, WriterSchema
from event_bus_kafka.outbox import database, writer_schemas
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry.events import AppendToOutboxFailed, RecordDelivered
from tests.model.caller import Caller, Sent
from tests.model.programmes import ALIASES, BARE, DEFAULT, MODES, OTHER, PROGRAMMES, Step
from tests.services.bus import CREATED, SandboxBus
from tests.support.databases import DATABASES, connected, database_on
from tests.support.direct import AWAY, NO_REGISTRY, spilled
from tests.support.examples_of import certificate
from tests.support.outbox_service import KEY_FIELD
from tests.support.sending import own_producer
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched

WITH_OUTBOX = (DEFAULT, OTHER)
_EXAMPLES = 20
_IS_LONG = settings().max_examples > _EXAMPLES
_PHASES = [phase for phase in Phase if phase is not Phase.shrink or _IS_LONG]
"""
The phases of Hypothesis. Short runs omit the phase that simplifies a failing programme, because this phase takes
minutes.
"""
PATIENT: dict[str, Any] = {"EVENT_BUS_KAFKA_SEND_TIMEOUT": 30, "EVENT_BUS_KAFKA_SHUTDOWN_SPILL": 30}


@attrs.frozen
class Service:
    """
    A service with three databases and two producers. The producer ``here`` reaches Kafka, but the producer ``away``
    does not reach Kafka.
    """

    here: EventBusProducer
    away: EventBusProducer
    settings: dict[str, Any]

    def run(self, programme: list[Step], *, is_away: bool, is_new: bool) -> Outcome:
        """
        Run a programme, and wait until all its events are in Kafka or in an outbox. If ``is_away`` is true, Kafka is
        unreachable. If ``is_new`` is true, the caches are empty as in a new process, and no schema is stored.
        """
        producer = self.away if is_away else self.here
        for alias in WITH_OUTBOX:
            OutboxRecord.objects.using(alias).all().delete()
        if is_new:
            database._known.clear()
            writer_schemas._known.clear()
            for alias in WITH_OUTBOX:
                WriterSchema.objects.using(alias).all().delete()
        with override_settings(**self.settings), watched(RecordDelivered, AppendToOutboxFailed) as seen:
            caller = Caller(lambda mode: _send(producer, mode))
            caller.run(programme)
            producer.prepare_for_shutdown()
            sleep(0.02)  # a report may have left the queue without being delivered yet
        for alias in ALIASES:
            connections[alias].close()  # uncommitted rows do not exist
        return Outcome(caller, seen)


class Outcome:
    """The events and rows in Kafka and in the databases after a programme."""

    def __init__(self, caller: Caller, seen: list[Any]) -> None:
        delivered = [event for event in seen if isinstance(event, RecordDelivered)]
        self.failed = {event.event_id: event.doomed for event in seen if isinstance(event, AppendToOutboxFailed)}
        self.places = {alias: spilled(alias) for alias in WITH_OUTBOX}
        for mode in MODES:
            there = sorted((event for event in delivered if event.topic == mode), key=lambda event: event.offset)
            self.places[mode] = [event.event_id for event in there]
        self.schemas = {
            alias: WriterSchema.objects.using(alias)
            .filter(pk__in=OutboxRecord.objects.using(alias).values("schema_id"))
            .count()
            == OutboxRecord.objects.using(alias).values("schema_id").distinct().count()
            for alias in WITH_OUTBOX
        }
        self.rows = {
            (alias, name)
            for alias in ALIASES
            for name in ContentType.objects.using(alias).filter(model="row").values_list("app_label", flat=True)
        }
        self._caller = caller

    def check(self) -> None:
        self._check_rows()
        self._check_events()
        self._check_order()

    def _check_rows(self) -> None:
        caller = self._caller
        assert caller.kept <= self.rows, "rows vanished without an exception"
        assert not caller.dropped & self.rows, "rows are there that were rolled back"
        assert any(self.failed.values()) or not caller.heard_of_an_append, "an exception without an error line"

    def _check_events(self) -> None:
        assert all(self.schemas.values()), "rows without a schema"
        counts = Counter(one for ids in self.places.values() for one in ids)
        expected = Counter(sent.event_id for sent in self._caller.sent if self._has_committed(sent))
        assert counts == expected, self.places

    def _has_committed(self, sent: Sent) -> bool:
        return set(sent.deciding.items()) <= self.rows

    def _check_order(self) -> None:
        """
        Check the order of the events. Spilled events, and events that could not be appended to the outbox, may be out
        of order.
        """
        groups: dict[Any, list[str]] = defaultdict(list)
        for sent in self._caller.sent:
            if sent.event_id not in self.failed:
                groups[sent.mode, tuple(sent.deciding) if sent.mode == "outbox" else ()].append(sent.event_id)
        for place, ids in self.places.items():
            for group, sent_ids in groups.items():
                if place in WITH_OUTBOX and group[0] != "outbox":
                    continue  # spilled events have no order
                there = [one for one in ids if one in sent_ids]
                assert there == sorted(there, key=sent_ids.index), (place, group)


@pytest.fixture(params=["sqlite", *DATABASES])
def service(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Service]:
    with Sandbox() as sandbox:
        yield from _service(SandboxBus(sandbox), request, tmp_path, django_db_blocker)


def _service(
    bus: SandboxBus, request: pytest.FixtureRequest, folder: Path, blocker: DjangoDbBlocker
) -> Iterator[Service]:
    for mode in MODES:
        bus.create_topic(mode)
    config = {CREATED: {mode: {"event_key_field": KEY_FIELD, "enabled": True, "mode": mode} for mode in MODES}}
    here = bus.settings(EVENT_BUS_PRODUCER_CONFIG=config, **PATIENT)
    away = here | {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": AWAY} | NO_REGISTRY
    with ExitStack() as stack:
        stack.enter_context(blocker.unblock())
        _connect(stack, request, folder, blocker)
        producers = []
        for settings in (here, away):
            with override_settings(**settings):
                producers.append(stack.enter_context(own_producer()))
                _send(producers[-1], "immediate")
                producers[-1].prepare_for_shutdown()
        yield Service(here=producers[0], away=producers[1], settings=here)


def _connect(stack: ExitStack, request: pytest.FixtureRequest, folder: Path, blocker: DjangoDbBlocker) -> None:
    """
    Connect the aliases to separate databases. Two of the databases have an outbox. They are on the server or, if SQLite
    is tested, in files. The third database has no outbox.
    """
    for alias in WITH_OUTBOX:
        if request.param == "sqlite":
            stack.enter_context(on_sqlite(folder, alias))
        else:
            server = request.getfixturevalue(request.param)
            made = stack.enter_context(database_on(server, f"programmes_{alias}", blocker))
            stack.enter_context(connected(made.entry, alias))
    stack.enter_context(on_sqlite(folder, BARE, migrated=False))
    call_command("migrate", "contenttypes", database=BARE, verbosity=0)


def _send(producer: EventBusProducer, mode: str) -> str:
    metadata = EventsMetadata(event_type=CREATED)
    producer.send(
        signal=CERTIFICATE_CREATED,
        topic=mode,
        event_key_field=KEY_FIELD,
        event_data={"certificate": certificate(7)},
        event_metadata=metadata,
    )
    return str(metadata.id)


def test_exactly_the_committed_events_of_random_transactions_are_sent(service: Service) -> None:
    @settings(max_examples=max(_EXAMPLES, settings().max_examples), phases=_PHASES)
    @given(PROGRAMMES, st.booleans(), st.booleans())
    def check(programme: list[Step], is_away: bool, is_new: bool) -> None:
        service.run(programme, is_away=is_away, is_new=is_new).check()

    check()
