"""``event_tail`` prints the selected records, and masks personal data."""

from __future__ import annotations

import io
import json
import re
import signal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_REVOKED

from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED, REVOKED, Bus
from tests.support.examples_of import certificate
from tests.support.sending import send


def printed(bus: Bus, *arguments: str) -> str:
    output = io.StringIO()
    with override_settings(**bus.settings(EVENT_BUS_KAFKA_REGISTRY_TIMEOUT=30)):
        call_command("event_tail", "--until-end", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def tail(bus: Bus, topic: str, *arguments: str, start: str = "earliest") -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed(bus, "-t", topic, "--from", start, "--json", *arguments).splitlines()]


def test_keys_and_data_are_masked_and_equal_keys_have_equal_masks(bus: Bus, topic: str) -> None:
    send(bus, topic, *map(certificate, (7, 8, 7)))
    first, second, third = tail(bus, topic)
    assert first["key"] == third["key"] != second["key"]
    assert first["key"].startswith("key-")
    assert (first["offset"], first["event_type"], first["data"]["certificate"]["grade"]) == (0, CREATED, "<str>")
    assert first["data"]["certificate"]["user"]["id"] == "<int>"
    assert ["ce_id", first["event_id"]] in first["headers"]
    text = printed(bus, "-t", topic, "--from", "earliest")
    assert f"{topic}:0:2  " in text
    assert not re.search('learner|honor|Learner|edX|"7"|"0.9"', text + json.dumps([first, second, third]))


def test_event_tail_with_the_option_unmasked_shows_keys_and_data_and_headers(bus: Bus, topic: str) -> None:
    bus.produce(topic, key=b"k", value=None, headers={"ce_type": CREATED.encode(), "note": b"secret"})
    send(bus, topic, certificate(7))
    tombstone, event = tail(bus, topic, "--unmasked")
    assert (event["key"], event["data"]["certificate"]["user"]["pii"]["email"]) == (7, "learner@example.com")
    assert (tombstone["data"], tombstone["headers"][1]) == (None, ["note", "secret"])
    assert ["note", "(6 bytes)"] in tail(bus, topic)[0]["headers"]


def test_records_to_print_can_be_chosen_by_key_by_type_and_by_offset(bus: Bus, topic: str) -> None:
    send(bus, topic, *map(certificate, (1, 2, 1)))
    send(bus, topic, certificate(2), signal=CERTIFICATE_REVOKED)

    def offsets(*arguments: str, start: str = "earliest") -> list[int]:
        return [one["offset"] for one in tail(bus, topic, *arguments, start=start)]

    assert offsets("--key", "1") == [0, 2]
    assert offsets("--event-type", REVOKED) == [3]
    assert offsets("--count", "2") == [0, 1]
    assert offsets(start="-2") == [2, 3]
    assert offsets(start="-9") == [0, 1, 2, 3]
    assert offsets(start="latest") == []


def test_an_undecodable_record_is_shown_with_the_reason_and_without_data(bus: Bus, topic: str) -> None:
    bus.produce(topic, key=b"learner@example.com", value=b"learner@example.com", headers={})
    (record,) = tail(bus, topic)
    assert record["data"] == {"undecodable": "UnreadableValue: starts with byte 108, not with 0", "bytes": 19}
    assert (record["event_type"], record["offset"]) == ("", 0)
    assert "learner" not in json.dumps(record)
    assert tail(bus, topic, "--key", "learner@example.com", "--unmasked")[0]["data"]["begins"].startswith("6c 65 61")


def test_event_tail_with_the_option_key_fails_if_the_registry_is_unreachable(bus: Bus, topic: str) -> None:
    send(bus, topic, certificate(1))
    away = {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9"}
    with override_settings(**bus.settings(**away)), pytest.raises(CommandError, match="SchemaRegistryError"):
        call_command("event_tail", "-t", topic, "--from", "earliest", "--until-end", "--key", "1")


def test_event_tail_follows_a_topic_until_it_is_interrupted(bus: Bus, topic: str) -> None:
    send(bus, topic, certificate(1))
    arguments = ("event_tail", "-t", topic, "--from", "-1", "--json")
    with ServiceProcess(*arguments, settings=bus.settings(EVENT_BUS_KAFKA_REGISTRY_TIMEOUT=30)) as process:
        process.wait_for(lambda: len(process.said) == 1)
        send(bus, topic, certificate(2))
        process.wait_for(lambda: len(process.said) == 2)
        process.send(signal.SIGINT)
        assert process.end() == 0
    assert bus.committed("event_tail", topic) < 0


@pytest.mark.real
@pytest.mark.parametrize("bus", ["real"], indirect=True)
def test_event_tail_refuses_unknown_topics_and_times_without_a_time_zone(bus: Bus, topic: str) -> None:
    with pytest.raises(CommandError, match=r"^There is no topic missing, or "):
        printed(bus, "-t", "missing")
    with pytest.raises(CommandError, match="does not say in which time zone"):
        printed(bus, "-t", topic, "--from", "2026-01-31T08:00:00")
    send(bus, topic, certificate(1))
    assert len(tail(bus, topic, start="2026-01-31T08:00:00Z")) == 1
    assert tail(bus, topic, start="2100-01-31T08:00:00Z") == []
