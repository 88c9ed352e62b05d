"""Processes two records with a receiver that opens a span."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from event_bus_kafka.conf.policies import RETRY_DEFAULTS
from event_bus_kafka.consuming.processor import Processor
from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.dead_letters.letter import Letter
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import DONE, Retry
from event_bus_kafka.dispatching.retry import RetryPolicies
from event_bus_kafka.telemetry import observe
from event_bus_kafka.telemetry.monitoring import MONITORED, monitor
from event_bus_kafka.telemetry.tracing import FAILURES, note_failure
from event_bus_kafka.wire.records import ConsumerRecord
from tests.support.examples_of import certificate
from tests.support.received import CODEC, FRAME, HEADERS, Registry


class _NoStore:
    def store(self, letter: Letter) -> None: ...


def attempts(span: Callable[[str], AbstractContextManager[Any]]) -> None:
    """
    Process both records once. The receiver succeeds for user 1 and fails for user 2. The receiver opens a span with the
    function ``span``.
    """

    def receive(certificate: Any, **_: Any) -> None:
        with span("SELECT"):
            pass
        if certificate.user.id == 2:
            raise ValueError("learner@example.com")

    observe(monitor, *MONITORED)
    observe(note_failure, *FAILURES)
    processor = Processor(
        group="g",
        registry=Registry(CODEC.schema),
        policies=RetryPolicies.of(RETRY_DEFAULTS, {}),
        dead_letters=_NoStore(),
        short_topic=str,
        receivers_of=lambda _: [Receiver(receive)],
    )
    outcomes = [type(processor.process(_delivery(user))) for user in (1, 2)]
    assert outcomes == [type(DONE), Retry]


def _delivery(user: int) -> Delivery:
    value = FRAME + CODEC.encode({"certificate": certificate(user)})
    record = ConsumerRecord(topic="t", partition=0, offset=user, timestamp=None, key=b"k", value=value, headers=HEADERS)
    return Delivery.of(record, PartitionProgress("t", 0))
