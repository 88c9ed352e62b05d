"""``manage.py event_tail``: print the events of a topic as they arrive, without a consumer group."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from django.core.management.base import CommandError, CommandParser

from event_bus_kafka.assembly.observing import observe_events
from event_bus_kafka.assembly.reading import reader_for
from event_bus_kafka.assembly.schema_registry import registry as registry_of_settings
from event_bus_kafka.dead_letters.letter import identity
from event_bus_kafka.errors import EventBusError, NotThere
from event_bus_kafka.kafka.offsets import Partition
from event_bus_kafka.kafka.reader import Reader
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.management.arguments import add_json, moment, named, number
from event_bus_kafka.management.examples import OperatorCommand
from event_bus_kafka.operations import masking
from event_bus_kafka.operations.group_offsets import partitions_of
from event_bus_kafka.operations.records import Wanted
from event_bus_kafka.shown import shown, shown_time
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.wire.records import ConsumerRecord

_GROUP = "event_tail"
"""A group id, which Kafka's client requires. No client joins this group, and nothing is ever committed for it."""

_LONGEST = 1_000_000
"""
Maximum number of characters of a key or of event data that is printed. The number is large, because users of this
command want all data.
"""


class Command(OperatorCommand):
    example = "event_tail -t certificates --from -10 --until-end"
    help = (
        "Print the decoded records of a topic as they arrive, until Ctrl-C. No consumer group is joined or moved. Data "
        "is masked: only names of fields and types of values are shown. Equal keys look equal within one run; masks "
        "differ from run to run. --unmasked shows all data."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-t", "--topic", metavar="TOPIC[:PARTITION]", type=named, required=True, help="with or without prefix"
        )
        parser.add_argument("--key", help="only records with this key, in plain text")
        parser.add_argument("--event-type", help="only records of this event type")
        parser.add_argument(
            "--from",
            dest="start",
            metavar="WHERE",
            type=_start,
            default="latest",
            help="earliest, latest (default), -N (the last N offsets of each partition), or a time in ISO 8601 with "
            "time zone",
        )
        parser.add_argument("--count", type=number(least=1), help="end after COUNT records")
        text = "end at the offsets where the topic ended when the command started"
        parser.add_argument("--until-end", action="store_true", help=text)
        add_json(parser, "print a line of JSON for each record")
        parser.add_argument("--unmasked", action="store_true", help="show all data, which may be personal")

    def handle(self, *args: Any, **options: Any) -> None:
        observe_events()
        try:
            with (
                reader_for(_GROUP) as reader,
                closing(registry_of_settings()) as registry,
            ):
                self._tail(reader, registry, options)
        except KeyboardInterrupt:
            return
        except NotThere as error:
            raise CommandError(str(error)) from error
        except EventBusError as error:
            raise CommandError(error_text(error)) from error

    def _tail(self, reader: Reader, registry: SchemaRegistry, options: dict[str, Any]) -> None:
        partitions = partitions_of(reader, [options["topic"]])
        ranges = {one: reader.range_of(one, timeout=reader.timeout) for one in partitions}
        starts = _starts(reader, partitions, options["start"])
        ends = {one: there.end for one, there in ranges.items()} if options["until_end"] else None
        wanted = Wanted(event_type=options["event_type"], key=options["key"])
        records = (record for record in reader.follow(starts, ends) if wanted.fits(record, registry))
        for record in islice(records, options["count"]):
            self.stdout.write(_line(_shown(record, registry, unmasked=options["unmasked"]), as_json=options["json"]))
            self.stdout.flush()


def _start(text: str) -> str | int:
    """
    Argument type: ``earliest``, ``latest``, -N, or a time. Returns -N as a negative number, and a time as milliseconds
    since the epoch.
    """
    if text in ("earliest", "latest"):
        return text
    if text.startswith("-") and text[1:].isdecimal():
        return -number(least=1)(text[1:])
    try:
        return moment(text)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{error}; else earliest, latest or -N") from None


def _starts(reader: Reader, partitions: Sequence[Partition], start: str | int) -> dict[Partition, int]:
    if isinstance(start, int) and start >= 0:
        return reader.offsets_at(partitions, start, timeout=reader.timeout)
    ranges = {one: reader.range_of(one, timeout=reader.timeout) for one in partitions}
    if isinstance(start, int):
        return {one: max(there.start, there.end + start) for one, there in ranges.items()}
    return {one: there.start if start == "earliest" else there.end for one, there in ranges.items()}


def _shown(record: ConsumerRecord, registry: SchemaRegistry, *, unmasked: bool) -> dict[str, Any]:
    event_type, event_id = identity(record)
    header = _plain_header if unmasked else masking.header
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "time": None if record.timestamp is None else shown_time(record.timestamp),
        "event_type": event_type,
        "event_id": event_id,
        "key": masking.decoded(record.key, registry) if unmasked else masking.masked_key(record.key),
        "headers": [[name, header(name, value)] for name, value in record.headers],
        "data": (masking.decoded if unmasked else masking.masked)(record.value, registry),
    }


def _plain_header(_name: str, value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _line(described: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return _json(described, ensure_ascii=True)
    place = f"{described['topic']}:{described['partition']}:{described['offset']}"
    time, event_type, event_id = (described[name] for name in ("time", "event_type", "event_id"))
    title = (place, time or "no time", event_type or "unknown type", event_id or "no id")
    headers = ", ".join(f"{name}={value}" for name, value in described["headers"])
    data = described["data"]
    return "\n".join(
        [
            shown("  ".join(title)),
            f"  key      {shown(_json(described['key']), _LONGEST)}",
            f"  headers  {shown(headers, _LONGEST)}",
            f"  data     {'none: a tombstone' if data is None else shown(_json(data), _LONGEST)}",
        ]
    )


def _json(content: Any, *, ensure_ascii: bool = False) -> str:
    return json.dumps(content, ensure_ascii=ensure_ascii, default=_plain)


def _plain(value: Any) -> str:
    return value.hex(" ") if isinstance(value, bytes) else str(value)
