"""``manage.py produce_event``: send one event, to test a connection or a consumer."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string
from openedx_events.data import EventsMetadata
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.entry_points import create_producer
from event_bus_kafka.management.arguments import add_json
from event_bus_kafka.management.commands.consume_events import json_object
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import (
    EventRejected,
    EventSpilled,
    EventUndelivered,
    LifecycleEvent,
    RecordDelivered,
)


class Command(OperatorCommand):
    example = "produce_event --signal certificates.signals.AWARDED --topic certificates --key-field user.id --data {}"
    help = "Send one event and wait for Kafka's confirmation. Exit code 1 if Kafka does not confirm the event."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--signal",
            required=True,
            help="dotted path to the signal, e.g. openedx_events.learning.signals.SESSION_LOGIN_COMPLETED",
        )
        parser.add_argument("--topic", required=True, help="topic to send to, without environment prefix")
        parser.add_argument("--key-field", required=True, help="dotted path to the key in the data, e.g. user.id")
        parser.add_argument(
            "--data", required=True, type=json_object, help="JSON object with one entry for each argument of the signal"
        )

        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        signal = _signal(options["signal"])
        ends: list[LifecycleEvent] = []
        collect = ends.append
        observe(collect)
        try:
            producer = create_producer()
            producer.send(
                signal=signal,
                topic=options["topic"],
                event_key_field=options["key_field"],
                event_data=options["data"],
                event_metadata=EventsMetadata(event_type=signal.event_type, minorversion=signal.minor_version),
            )
            producer.prepare_for_shutdown()
        finally:
            unobserve(collect)
        self._tell(ends, as_json=options["json"])

    def _tell(self, ends: list[LifecycleEvent], *, as_json: bool) -> None:
        for end in ends:
            if isinstance(end, RecordDelivered) and as_json:
                self.stdout.write(json.dumps(_as_json(end), indent=2))
                return
            if isinstance(end, RecordDelivered):
                place = f"{end.topic}, partition {end.partition}, offset {end.offset}"
                self.stdout.write(self.style.SUCCESS(f"Event {end.event_id} is in Kafka: {place}"))
                return
            if isinstance(end, EventSpilled):
                raise CommandError(
                    f"The event waits in the outbox of database {end.database!r} for a relay. {error_text(end.error)}"
                )
            if isinstance(end, EventRejected | EventUndelivered):
                raise CommandError(f"The event was not sent. {error_text(end.error)}")
        raise CommandError("The event was not confirmed within EVENT_BUS_KAFKA_DELIVERY_TIMEOUT.")


def _as_json(end: RecordDelivered) -> dict[str, Any]:
    return {"event_id": end.event_id, "topic": end.topic, "partition": end.partition, "offset": end.offset}


def _signal(path: str) -> OpenEdxPublicSignal:
    try:
        signal = import_string(path)
    except ImportError as error:
        raise CommandError(f"--signal {path!r}: {error}") from error
    if not isinstance(signal, OpenEdxPublicSignal):
        raise CommandError(f"--signal {path!r} is no OpenEdxPublicSignal.")
    return signal
