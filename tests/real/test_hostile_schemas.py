"""
Hostile schemas are registered in a real registry. Records with these schemas on a real broker become dead letters (case
C4).
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.wire import cloudevents
from event_bus_kafka.wire.binary import long
from event_bus_kafka.wire.codec import codec_for
from tests.services.bus import CREATED, RealBus
from tests.support.dead_letters import OnTopic
from tests.support.examples_of import certificate
from tests.support.sending import send
from tests.support.workers import worker

pytestmark = pytest.mark.real

NULL = {"type": "fixed", "name": "null", "namespace": "", "size": 1}
BOMBS: dict[str, tuple[str, list[Any], bytes, str]] = {
    "a type named null, in a schema of another kind": (
        "JSON",
        [NULL, {"type": "array", "items": "null"}],
        b"x" + long(200_000_000) + b"\0",
        "not of type AVRO",
    ),
    "a million empty lists": (
        "AVRO",
        [{"type": "array", "items": {"type": "array", "items": "int"}}],
        long(900_000) + bytes(900_000) + b"\0",
        "EVENT_BUS_KAFKA_DECODED_BYTES",
    ),
}


def register(bus: RealBus, subject: str, schema: dict[str, Any], kind: str) -> int:
    asked = urllib.request.Request(
        f"{bus.schema_registry_url}/subjects/{subject}/versions",
        data=json.dumps({"schema": json.dumps(schema), "schemaType": kind}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return int(json.loads(answer.read())["id"])


def memory_of(pid: int) -> int:
    """Return the maximal memory in bytes that a process has used so far."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


@pytest.mark.parametrize("name", BOMBS)
def test_c4_a_record_becomes_a_dead_letter_if_it_would_need_too_much_memory(
    bus: RealBus, topic: str, group: str, name: str
) -> None:
    kind, types, more, reason = BOMBS[name]
    codec, kept = codec_for(CERTIFICATE_CREATED), OnTopic(bus, group).create()
    schema = json.loads(codec.schema)
    if kind == "JSON":
        schema = {"$schema": "http://json-schema.org/draft-07/schema#"} | schema  # the registry requires it
    schema["fields"] += [{"name": f"more{number}", "type": type_} for number, type_ in enumerate(types)]
    number = register(bus, f"{topic}-bomb", schema, kind)
    value = b"\0" + number.to_bytes(4, "big") + codec.encode({"certificate": certificate(1)}) + more
    headers = dict(cloudevents.to_headers(metadata := EventsMetadata(event_type=CREATED), str(metadata.id)))
    send(bus, topic, certificate(2))
    with worker(bus, topic, group, "note", **kept.settings) as process:
        process.wait_for_users("note", [2])
        before = memory_of(process.pid)
        bus.produce(topic, value=value, headers={name: value or b"" for name, value in headers.items()})
        send(bus, topic, certificate(3))
        process.wait_for_users("note", [2, 3])
        process.wait_for_log(reason)
        assert memory_of(process.pid) - before < 100_000_000
        assert process.stop() == 0
    (letter,) = kept.read(1)
    assert letter.record.value == value
