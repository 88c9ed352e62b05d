"""
After a relay was killed, some rows may be sent twice. Their number has a limit, which is the same in the documentation
and in the code (case S20).
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from event_bus_kafka.models import OutboxRecord
from event_bus_kafka.relaying import batch, claims
from event_bus_kafka.relaying.background import BackgroundThread
from event_bus_kafka.relaying.claims import Claims
from event_bus_kafka.relaying.settlement import MOST_TWICE, Ledger
from event_bus_kafka.relaying.topics import Topics
from tests.support.outbox_service import until
from tests.support.relaying import Relaying

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["outbox.rst", "decisions/0012-the-outbox.rst", "decisions/0017-*.rst"])
def test_s20_the_documented_limit_of_rows_sent_twice_equals_the_limit_in_the_code(page: str) -> None:
    (file,) = DOCS.glob(page)
    text = " ".join(file.read_text().split())
    assert re.findall(r"(?:at most|``MOST_TWICE``,) ([\d,]+) (?:rows, four|rows\.|where many)", text) == [
        f"{MOST_TWICE:,}"
    ]


def test_s20_slow_removals_do_not_raise_the_number_of_rows_that_may_be_sent_twice(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, begin = Claims.remove, Ledger.begin
    most = 0

    def remove_slowly(self: Claims, *arguments: Any, **named: Any) -> None:
        sleep(0.05)
        remove(self, *arguments, **named)

    def begin_and_count(self: Ledger, count: int = 1) -> None:
        nonlocal most
        begin(self, count)
        most = max(most, self.unsettled)

    monkeypatch.setattr(claims, "CHUNK_ROWS", 5)
    monkeypatch.setattr(batch, "MOST_TWICE", 15)
    monkeypatch.setattr(Claims, "remove", remove_slowly)
    monkeypatch.setattr(Ledger, "begin", begin_and_count)
    sent = relaying.append(*["a"] * 60)
    until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)
    assert relaying.arrived("a", 60) == sent
    assert 5 < most <= 15


def test_s20_a_batch_ends_when_unconfirmed_rows_of_a_held_topic_reach_the_limit_of_rows_sent_twice(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold_all(self: Topics) -> None:
        for topic in self.values():
            topic.is_silent = topic.unreported > 0

    monkeypatch.setattr(claims, "CHUNK_ROWS", 5)
    monkeypatch.setattr(batch, "MOST_TWICE", 15)
    sent = relaying.append(*["a"] * 20)
    with monkeypatch.context() as patch, relaying.sandbox.slow_brokers(0.5):
        patch.setattr(Topics, "hold_silent", hold_all)
        relaying.relay.step()
    assert OutboxRecord.objects.count() > 10
    until(lambda: not OutboxRecord.objects.exists(), step=relaying.relay.step)
    assert set(relaying.arrived("a", 20)) == set(sent)


def test_s20_database_calls_of_a_relay_run_in_a_daemon_thread_that_can_be_stopped() -> None:
    thread, ended = BackgroundThread("tests"), threading.Event()
    call = thread.submit(ended.wait)
    (running,) = [one for one in threading.enumerate() if one.name == "event-bus-relay-tests"]
    ended.set()  # first: a thread that is no daemon would keep this process alive
    assert call.result(10)
    thread.stop()
    assert not running.is_alive()
    assert running.daemon
