"""When a broker, or a proxy in front of it, refuses requests, no row is lost and rows keep their order (case S8)."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from time import sleep

import pytest
from django.db import connections
from django.test import override_settings

from event_bus_kafka.models import ParkedRecord
from event_bus_kafka.telemetry.events import RelayInterrupted, TopicHeld
from event_bus_kafka.trouble import Trouble
from tests.services.refusing_proxy import RefusingProxy
from tests.support.outbox_service import Service, until
from tests.support.scale import scaled
from tests.support.watching import watched

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]

_UNLISTED = "UNSUPPORTED_FOR_MESSAGE_FORMAT"
SMALL_REQUESTS = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"batch.num.messages": 50}}


@contextmanager
def through_proxy(service: Service, *topics: str) -> Iterator[RefusingProxy]:
    """Connect the relays of a service to Kafka through a proxy. The proxy can refuse requests."""
    port = int(service.bus.bootstrap_servers.rpartition(":")[2])
    for topic in topics:
        service.bus.create_topic(topic)
    with RefusingProxy(port) as proxy:
        servers = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": proxy.address}
        with override_settings(**service.settings_for(service.topic, *topics) | servers | SMALL_REQUESTS):
            yield proxy


def once(code: str, *, after: int, delay: float = 0) -> Callable[[str], str | None]:
    """
    Return a function that refuses exactly one request. The first ``after`` requests are not refused. The refusal is
    delayed by ``delay`` seconds.
    """
    requests = count()

    def refuse(_topic: str) -> str | None:
        if next(requests) != after:
            return None
        sleep(delay)
        return code

    return refuse


@pytest.mark.parametrize(("code", "after"), [("UNKNOWN", 0), ("TOPIC_AUTHORIZATION_FAILED", 1), ("INVALID_RECORD", 7)])
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s8_rows_keep_their_order_when_a_request_is_refused(service: Service, code: str, after: int) -> None:
    sent = service.emit_many(1_970)
    with through_proxy(service) as proxy, service.relay() as relay:
        proxy.refuse = once(code, after=after)
        until(lambda: not service.waiting, step=relay.step)
    assert service.all_ids() == sent
    assert not ParkedRecord.objects.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s8_rows_keep_their_order_when_the_first_request_of_a_client_is_refused(service: Service) -> None:
    """
    When the first request is refused, the client has already prepared the second request. A broker accepts any request
    of a producer that is new to it, so it would accept the second request although the first is missing.
    """
    sent = service.emit_many(20)
    requests = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"batch.num.messages": 1}}
    with through_proxy(service) as proxy, override_settings(**requests), service.relay() as relay:
        proxy.refuse = once("INVALID_RECORD", after=0, delay=0.3)
        until(lambda: not service.waiting, step=relay.step)
    assert service.all_ids() == sent


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s11_a_refusal_with_an_error_code_unknown_to_the_package_does_not_delay_other_topics(service: Service) -> None:
    odd = f"{service.topic}-odd"
    with through_proxy(service, odd) as proxy, watched(RelayInterrupted, TopicHeld) as seen, service.relay() as relay:
        proxy.refuse = lambda topic: _UNLISTED if topic == odd else None
        waiting, sent = service.emit_many(100, topic=odd), service.emit_many(500)
        until(lambda: service.waiting == 100, step=relay.step)
        assert {type(one) for one in seen} == {TopicHeld}
        proxy.refuse = lambda _: None
        until(lambda: not service.waiting, step=relay.step)
    assert service.all_ids() == sent
    assert service.all_ids(odd) == waiting


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_missing_topic_is_held_and_its_rows_are_sent_after_its_creation(service: Service) -> None:
    missing = f"{service.topic}-missing"
    topics = override_settings(**service.settings_for(service.topic, missing))
    with topics, watched(RelayInterrupted, TopicHeld) as seen, service.relay() as relay:
        waiting, sent = service.emit_many(20, topic=missing), service.emit_many(20)
        until(lambda: bool(seen), step=relay.step)
        assert [one.error.kind for one in seen] == [Trouble.MISSING]
        service.bus.create_topic(missing)
        until(lambda: not service.waiting, step=relay.step)
    assert (service.all_ids(), service.all_ids(missing)) == (sent, waiting)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s12_a_topic_that_refuses_the_timestamps_of_rows_is_held_and_no_row_is_parked(service: Service) -> None:
    """
    The topic accepts a record only if it reaches the broker in the millisecond of its timestamp. Almost all records are
    later.
    """
    late = f"{service.topic}-late"
    service.bus._cluster.create_topic(late, config={"message.timestamp.before.max.ms": "0"})
    with override_settings(**service.settings_for(late)), watched(TopicHeld) as seen, service.relay() as relay:
        sent: list[str] = []

        def send() -> None:
            sent.extend(service.emit(user, topic=late) for user in range(20))
            relay.step()

        until(lambda: bool(seen), step=send)  # a record that arrives within its millisecond is accepted
        assert service.waiting
        assert not ParkedRecord.objects.exists()
        service.bus._cluster.configure_topic(late, {"message.timestamp.before.max.ms": str(2**63 - 1)})
        until(lambda: not service.waiting, step=relay.step)
    assert sorted(service.all_ids(late)) == sorted(sent)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_s14_an_event_is_sent_to_a_topic_whose_size_limit_exceeds_the_maximum_of_the_client(service: Service) -> None:
    """A topic's ``max.message.bytes`` may be higher than the largest size that a client accepts in its options."""
    vast = f"{service.topic}-vast"
    service.bus._cluster.create_topic(vast, config={"max.message.bytes": str(2**31 - 1)})
    with override_settings(**service.settings_for(vast)):
        sent = [service.emit(1, topic=vast)]
        service.drain()
    assert service.all_ids(vast) == sent


CODES = (
    "UNKNOWN",
    "TOPIC_AUTHORIZATION_FAILED",
    "INVALID_RECORD",
    "MSG_SIZE_TOO_LARGE",
    "NOT_LEADER_FOR_PARTITION",
    "NOT_ENOUGH_REPLICAS",
    "KAFKA_STORAGE_ERROR",
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    "INVALID_PRODUCER_EPOCH",
    _UNLISTED,
)


class AtRandom:
    """
    Refuses requests for some topics at random, each request with a random error code. After ``count`` refusals it
    refuses no further requests.
    """

    def __init__(self, count: int, topics: list[str]) -> None:
        self.left = count
        self._topics = topics
        self._random = random.Random(23)
        self._lock = threading.Lock()

    def __call__(self, topic: str) -> str | None:
        with self._lock:
            if topic not in self._topics or not self.left or self._random.random() > 0.3:
                return None
            self.left -= 1
            return self._random.choice(CODES)


@pytest.mark.long
def test_s8_random_refusals_lose_no_row_and_keep_the_order_of_each_key(service: Service) -> None:
    """
    Two relays run. Kafka may refuse a row in a request with other rows, and again in a request without other rows. Such
    a row may be parked, but is not lost.
    """
    topics = [f"{service.topic}-{number}" for number in range(scaled(4, long=24))]
    sent: dict[str, list[str]] = defaultdict(list)
    with through_proxy(service, *topics) as proxy:
        refusals = AtRandom(scaled(20, long=1_000), topics)
        proxy.refuse = refusals
        with watched(RelayInterrupted) as seen, relaying(service), relaying(service):
            while refusals.left:
                for topic in topics:
                    sent[topic] += service.emit_many(200, topic=topic)
                while refusals.left and service.waiting > 2_000:  # topics may be held for half a minute
                    sleep(0.05)
            proxy.refuse = lambda _: None
            until(lambda: not service.waiting)
    twice = 0
    for topic, ids in sent.items():
        arrived = service.all_ids(topic)
        firsts = list(dict.fromkeys(arrived))
        lost = len(ids) - len(firsts) - ParkedRecord.objects.filter(topic=topic).count()
        assert lost == 0
        order = {event: number for number, event in enumerate(ids)}
        numbers = [order[event] for event in firsts]
        assert numbers == sorted(numbers)
        assert order[arrived[-1]] == max(numbers), "the log of a key ends with its newest event"
        twice += len(arrived) - len(firsts)
    unconfirmed = sum(event.unconfirmed for event in seen)
    print(f"{ParkedRecord.objects.count()} rows parked, {twice} twice, {unconfirmed} given up without a report")
    assert twice <= unconfirmed


@contextmanager
def relaying(service: Service) -> Iterator[None]:
    """Run a relay in a thread while the block runs."""
    entry, stop = connections["default"], threading.Event()

    def run() -> None:
        connections["default"] = entry.copy()
        with service.relay() as relay:
            while not stop.is_set():
                relay.step()
        connections["default"].close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
