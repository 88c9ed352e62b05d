"""
A probe sends an event through the whole bus and receives it. Its legs are topic, registry, send and receive. If a leg
fails or is slow, the probe names the leg.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.assembly.probing import probe
from event_bus_kafka.kafka.offsets import Range
from event_bus_kafka.operations.probing.legs import ClockDifference, LegFailed
from event_bus_kafka.operations.probing.probe_event import PROBE_TOPIC, probe_signal
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import ProbeEnded
from tests.services.bus import RealBus
from tests.services.guarded import GuardedKafka
from tests.services.kafka import KafkaCluster
from tests.services.process import free_port
from tests.services.proxy import Proxy, latency
from tests.services.schema_registry import SchemaRegistry
from tests.support.probe_command import probed
from tests.support.scraping import Numbers, numbers
from tests.support.topic_command import topics

LEGS = ["topic", "registry", "send", "receive"]


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def test_a_probe_measures_each_leg_and_its_event_does_not_reach_receivers(sandbox: Sandbox) -> None:
    assert probe_signal.event_type not in {signal.event_type for signal in OpenEdxPublicSignal.all_events()}
    ended: list[Any] = []
    observe(ended.append, ProbeEnded)
    try:
        found = probed(sandbox.settings)
    finally:
        unobserve(ended.append)
    assert found["legs"] == dict.fromkeys(LEGS, "")
    (event,) = ended
    assert [name for name, _ in event.legs] == LEGS
    assert (event.failed, found["clock_ahead"]) == ("", None), "the sandbox keeps the sender's times"


def test_a_probe_is_repeated_the_given_number_of_times(sandbox: Sandbox) -> None:
    output = io.StringIO()
    with override_settings(**sandbox.settings):
        call_command("probe_event_bus", "--every", "0.01", "--count", "3", "--json", "--slow", "60", stdout=output)
    assert [json.loads(line)["ok"] for line in output.getvalue().splitlines()] == [True] * 3


class _Scraping(io.StringIO):
    """An output stream that requests the metrics of a port whenever a line is written."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.found: list[Numbers] = []
        self._port = port

    def flush(self) -> None:
        self.found.append(numbers(self._port))


def test_a_probe_exports_metrics_only_if_it_is_repeated(sandbox: Sandbox) -> None:
    output = _Scraping(free_port())
    arguments = ("--every", "0.01", "--count", "3", "--slow", "60", "--health-port", str(output._port))
    with override_settings(**sandbox.settings):
        with pytest.raises(CommandError, match="--health-port needs --every"):
            call_command("probe_event_bus", *arguments[6:], stdout=output)
        call_command("probe_event_bus", *arguments, stdout=output)
    first, _, last = output.found
    counted = [("probes_total", "none"), *(("probe_leg_seconds_count", leg) for leg in LEGS)]
    assert [last[name] - first[name] for name in counted] == [2] * 5
    assert last["probe_leg_seconds_sum", "send"] > first["probe_leg_seconds_sum", "send"]


def test_a_probe_fails_at_its_registry_leg_when_the_registry_is_unreachable(own_sandbox: Sandbox) -> None:
    settings = own_sandbox.settings
    with own_sandbox.registry_down():
        found = probed(settings, "--timeout", "10")
    assert (found["failed"], list(found["legs"])) == ("registry", ["topic", "registry"])


def test_a_probe_fails_at_its_send_leg_when_the_topic_refuses_records(own_sandbox: Sandbox) -> None:
    own_sandbox.create_topic(PROBE_TOPIC, 1)
    own_sandbox.fail_next("Produce", "POLICY_VIOLATION", times=50)
    found = probed(own_sandbox.settings, "--timeout", "10")
    assert found["failed"] == "send"
    assert "POLICY_VIOLATION" in found["legs"]["send"]


def test_a_slow_leg_counts_as_failed_and_the_following_legs_still_run(own_sandbox: Sandbox) -> None:
    own_sandbox.create_topic(PROBE_TOPIC, 1)
    output = io.StringIO()
    with own_sandbox.slow_brokers(0.2), override_settings(**own_sandbox.settings):
        with pytest.raises(CommandError, match="The event bus is not well: look at topic"):
            call_command("probe_event_bus", "--slow", "0.15", stdout=output, no_color=True)
    assert "FAILED: slow: more than 0.15 s" in output.getvalue().splitlines()[0]
    assert output.getvalue().splitlines()[-1].startswith("receive"), "the output also says how long the other legs took"


def test_a_probe_ignores_the_event_of_another_probe(own_sandbox: Sandbox) -> None:
    own_sandbox.create_topic(PROBE_TOPIC, 1)
    with override_settings(**own_sandbox.settings), ExitStack() as at_end:
        one = probe(at_end, timeout=60, slow=60)
        assert one.run().failed is None
        reader = at_end.enter_context(one.connect())
        everything = {(PROBE_TOPIC, 0): Range(0, 1)}
        with pytest.raises(LegFailed, match="the event is not among the new records"):
            attrs.evolve(one, timeout=0.1)._receive(reader, everything, "the id of another one")


@pytest.mark.real
@pytest.mark.django_db(transaction=True)
def test_a_probe_on_a_real_kafka_compares_clocks_and_leaves_no_consumer_group(
    real_bus: RealBus, cluster: KafkaCluster
) -> None:
    """The broker and the probe run on the same machine, so their clocks agree."""
    settings = real_bus.settings()
    prefix = {"EVENT_BUS_TOPIC_PREFIX": "probed"}
    found = probed(settings | prefix)
    assert found["failed"] == "topic"
    assert "there is no topic probed-event-bus-probe" in found["legs"]["topic"]
    assert topics(settings | prefix, "apply")[0] == 0
    found = probed(settings | prefix)
    assert found["legs"] == dict.fromkeys(LEGS, "")
    least, most = found["clock_ahead"]
    assert least <= 0 <= most
    groups = cluster.admin().list_consumer_groups().result(30).valid
    assert "probe_event_bus" not in {one.group_id for one in groups}


@pytest.mark.real
@pytest.mark.django_db(transaction=True)
def test_a_probe_names_the_leg_that_times_out_because_of_slow_brokers(
    guarded: GuardedKafka, schema_registry: SchemaRegistry
) -> None:
    """A proxy delays all data by 5 seconds in each direction."""
    way = guarded.through_proxy
    bus = RealBus(guarded.cluster, schema_registry)
    bus.create_topic(PROBE_TOPIC)
    settings = bus.settings() | {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": way.address}
    with Proxy(way.port, way.advertised) as proxy:
        assert probed(settings)["failed"] is None
        with latency(proxy, 5):
            found = probed(settings, "--timeout", "6")
    assert list(found["legs"]) == ["topic"]
    assert "Failed to get metadata" in found["legs"]["topic"]


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (-0.02, 0.01, "agrees with this host's, as far as can be told within 0.03 s"),
        (1.5, 1.75, "is ahead by 1.50 to 1.75 s"),
        (-1.75, -1.5, "is behind by 1.50 to 1.75 s"),
    ],
)
def test_the_difference_of_clocks_is_described_in_words(least: float, most: float, said: str) -> None:
    assert ClockDifference(least=least, most=most).text == said
