"""Runs processes that write events, and compares the written events with the events that arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

import attrs
from confluent_kafka import Consumer, TopicPartition
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.wire.codec import codec_for, plain_decoder
from tests.projects.process import ServiceProcess
from tests.services.bus import Bus
from tests.support.outbox_service import Service

_WRITE = """
import random, time
from django.db import transaction
from openedx_events.learning.signals import CERTIFICATE_CREATED
from tests.support.examples_of import certificate
from tests.projects.certificates.apps import say

class Undone(Exception):
    pass

numbers = {{}}
end = time.monotonic() + {seconds}
say("writing")
while time.monotonic() < end:
    written = []
    try:
        with transaction.atomic():
            for _ in range(random.randint(1, 5)):
                user = {writer} * 10 + random.randrange(5)
                number = numbers[user] = numbers.get(user, 0) + 1
                CERTIFICATE_CREATED.send_event(certificate=certificate(user, grade=str(number)))
                written.append([user, number])
            if random.random() < 0.1:
                raise Undone
            if random.random() < 0.05:
                time.sleep(random.uniform(0.1, 0.5))
    except Undone:
        continue
    say("committed", rows=written)
    time.sleep({pause})
"""


def writer(service: Service, number: int, *, seconds: float, pause: float = 0.005, **changes: Any) -> ServiceProcess:
    """
    Return a process that writes events. No other process uses its keys. Some of its transactions are slow, and some are
    rolled back.
    """
    code = _WRITE.format(writer=number, seconds=seconds, pause=pause)
    return ServiceProcess(code=code, settings=service.process_settings(**changes))


@attrs.frozen(kw_only=True)
class Outcome:
    """
    Counts the events that did not arrive exactly once and in order. Lost events were committed and did not arrive;
    invented events arrived and were not committed.
    """

    lost: int
    invented: int
    duplicates: int
    disordered: int
    """Number of events that first arrived after a later event of their key."""
    late: int
    """Number of keys for which the newest of the arrived events did not arrive last."""

    @property
    def is_exact(self) -> bool:
        return not (self.lost or self.invented or self.duplicates or self.disordered or self.late)


def outcome(writers: Iterable[ServiceProcess], arrived: list[tuple[int, int]]) -> Outcome:
    """Compare the committed events with the events that arrived. Each event is a pair of user and number."""
    committed = {(user, number) for one in writers for line in one.heard("committed") for user, number in line["rows"]}
    by_user: dict[int, list[int]] = defaultdict(list)
    disordered = 0
    for user, number in arrived:
        if number not in by_user[user]:
            disordered += bool(by_user[user]) and number < max(by_user[user])
        by_user[user].append(number)
    return Outcome(
        lost=len(committed - set(arrived)),
        invented=len(set(arrived) - committed),
        duplicates=len(arrived) - len(set(arrived)),
        disordered=disordered,
        late=sum(numbers[-1] != max(numbers) for numbers in by_user.values()),
    )


def everything(bus: Bus, topic: str) -> list[tuple[int, int]]:
    """Return user and number of all events on a topic with one partition, in the order of their offsets."""
    consumer = Consumer({"bootstrap.servers": bus.bootstrap_servers, "group.id": "tests", "log_level": 0})
    try:
        place = TopicPartition(topic, 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=30)
        consumer.assign([place])
        found: list[tuple[int, int]] = []
        while end and consumer.position([place])[0].offset < end:
            for message in consumer.consume(1_000, 0.5):
                assert message.error() is None
                found.append(_pair(message.value() or b""))
        return found
    finally:
        consumer.close()


def _pair(value: bytes) -> tuple[int, int]:
    data = _decode()(value[5:])["certificate"]
    return data["user"]["id"], int(data["grade"])


@cache
def _decode() -> Any:
    return plain_decoder(codec_for(CERTIFICATE_CREATED).schema)
