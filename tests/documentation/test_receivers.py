"""The receivers and senders in the guides do what the guides say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from django.dispatch import Signal
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import record_deleted
from event_bus_kafka.testing import CapturedEvents, deliver
from tests.documentation.blocks import blocks
from tests.support.examples_of import certificate
from tests.testing.conftest import ENTRY

TOPIC = "catalog-program-lifecycle"


class Rows:
    """Emulates a database table in memory, with the methods that the guides call."""

    def __init__(self) -> None:
        self.objects = self
        self.created: list[dict[str, Any]] = []
        self.deleted: list[dict[str, Any]] = []
        self._filters: dict[str, Any] = {}

    def create(self, **fields: Any) -> None:
        self.created.append(fields)

    def filter(self, **filters: Any) -> Rows:
        self._filters = filters
        return self

    def delete(self) -> None:
        self.deleted.append(self._filters)


def run(page: str, part: str, **names: Any) -> dict[str, Any]:
    """
    Run the only block of a page that contains the text `part`. Before the block runs, `names` are defined. Return all
    names that are defined afterwards.
    """
    (block,) = (one for one in blocks(page) if part in one.text)
    known: dict[str, Any] = {"__name__": "guide", **names}
    exec(compile(block.text, f"{page}:{block.line}", "exec"), known)
    return known


Connected = Callable[[Signal, Any], None]


@pytest.fixture
def connected() -> Iterator[Connected]:
    """Return a function that takes a signal and a connected receiver. After the test the receiver is disconnected."""
    found: list[tuple[Signal, Any]] = []
    yield lambda signal, receiver: found.append((signal, receiver))
    for signal, receiver in found:
        assert signal.disconnect(receiver)


@pytest.mark.django_db
def test_the_once_decorator_runs_a_receiver_a_single_time_for_a_repeated_event(
    captured_events: CapturedEvents, connected: Connected, settings: Any
) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {CERTIFICATE_CREATED.event_type: {"certificates": ENTRY}}
    awards = Rows()
    connected(CERTIFICATE_CREATED, run("docs/inbox.rst", "@once", Award=awards)["award"])
    CERTIFICATE_CREATED.send_event(certificate=certificate(7))
    for _ in range(2):
        deliver(captured_events[0])
    assert awards.created == [{"user_id": 7}]


def test_a_receiver_of_deletions_deletes_a_row_only_for_a_key_of_its_topic(connected: Connected) -> None:
    programs = Rows()
    connected(record_deleted, run("docs/compacted.rst", "@receiver", Program=programs)["forget"])
    deliver(record_deleted, topic=TOPIC, key="abc")
    deliver(record_deleted, topic="another", key="def")
    assert programs.deleted == [{"uuid": "abc"}]


@pytest.mark.parametrize("replay", [False, True])
def test_a_receiver_sends_no_mail_in_a_replay(connected: Connected, replay: bool) -> None:
    updates: list[CertificateData] = []
    mails: list[CertificateData] = []
    names = run("docs/backfill.rst", "is_replay()", update_catalog=updates.append, send_welcome_mail=mails.append)

    def receiver(certificate: CertificateData, **kwargs: Any) -> None:
        names["on_enrollment"](enrollment=certificate)

    CERTIFICATE_CREATED.connect(receiver)
    connected(CERTIFICATE_CREATED, receiver)
    deliver(CERTIFICATE_CREATED, certificate=certificate(7), replay=replay)
    assert len(updates) == 1
    assert len(mails) == (0 if replay else 1)


def test_deleting_a_row_sends_a_tombstone(captured_events: CapturedEvents, settings: Any) -> None:
    entry = {"event_key_field": "certificate.grade", "enabled": True}
    settings.EVENT_BUS_PRODUCER_CONFIG = {CERTIFICATE_CREATED.event_type: {TOPIC: entry}}

    class transaction:  # noqa: N801
        atomic = nullcontext

    class program(Rows):  # noqa: N801
        uuid = "abc"
        delete = staticmethod(lambda: None)

    run(
        "docs/compacted.rst",
        "send_tombstone",
        PROGRAM_UPDATED=CERTIFICATE_CREATED,
        transaction=transaction,
        program=program,
    )
    captured_events.assert_sent(record_deleted, topic=TOPIC, key="abc")
