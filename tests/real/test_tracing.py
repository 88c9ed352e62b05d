"""
The spans of receivers belong to the trace of the view in another process, or link to it. All processes use
OpenTelemetry's SDK.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED, RealBus
from tests.support.databases import connected
from tests.support.direct import AWAY
from tests.support.workers import OURS_FIRST

pytestmark = pytest.mark.real

REQUEST = "from django.test import Client; assert Client().get('/award').status_code == 200"
WAYS = ("direct", "outbox", "spilled")
Span = dict[str, Any]


@attrs.frozen(kw_only=True)
class Traced:
    """A service whose processes export their spans."""

    bus: RealBus
    entry: dict[str, Any]
    name: str

    def topic(self, way: str) -> str:
        return f"{self.name}-{way}"

    def process(self, *command: str, ways: tuple[str, ...] = (), **changes: Any) -> ServiceProcess:
        entry = {"event_key_field": "certificate.user.id", "enabled": True}
        modes = {"direct": "on-commit", "outbox": "outbox", "spilled": "on-commit"}
        topics = {self.topic(way): entry | {"mode": modes[way]} for way in ways}
        own = {
            "DATABASES": {"default": self.entry},
            "ROOT_URLCONF": "tests.projects.certificates.traces",
            "ALLOWED_HOSTS": ["testserver"],
            "EVENT_BUS_PRODUCER_CONFIG": {CREATED: topics},
        }
        settings = self.bus.settings() | OURS_FIRST | own | changes
        code = "" if command else REQUEST
        return ServiceProcess(*command, settings=settings, code=code, receivers="traces.arrive")

    def worker(self, tie: str) -> ServiceProcess:
        topics = [word for way in WAYS for word in ("-t", self.topic(way))]
        command = ("consume_events", *topics, "-g", f"{self.name}-{tie}")
        return self.process(*command, EVENT_BUS_KAFKA_TRACE_CONTEXT=tie)


@pytest.fixture
def service(real_bus: RealBus, group: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Traced:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database"), "OPTIONS": {"timeout": 60}}
    with django_db_blocker.unblock(), connected(entry, "default"):
        call_command("migrate", verbosity=0)
    traced = Traced(bus=real_bus, entry=entry, name=group)
    for way in WAYS:
        real_bus.create_topic(traced.topic(way))
    return traced


def one(process: ServiceProcess, name: str) -> Span:
    (found,) = (span for span in process.heard("span") if span["name"] == name)
    return found


def ids(span: Span) -> tuple[str, str]:
    return span["context"]["trace_id"], span["context"]["span_id"]


def links(span: Span) -> list[tuple[str, str]]:
    return [ids(link) for link in span["links"]]


def test_spans_of_receivers_belong_to_the_trace_of_the_view_or_link_to_it_as_configured(
    service: Traced,
) -> None:
    """The test covers events that are sent directly, events in mode ``outbox``, and spilled events."""
    with ExitStack() as stack:
        web = stack.enter_context(service.process(ways=("direct", "outbox")))
        away = {"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": AWAY, "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 0.1}
        cut_off = stack.enter_context(service.process(ways=("spilled",), **away))
        relay = stack.enter_context(service.process("relay_events"))
        workers = {tie: stack.enter_context(service.worker(tie)) for tie in ("link", "parent")}
        assert (web.end(), cut_off.end()) == (0, 0), web.log + cut_off.log
        for worker in workers.values():
            worker.wait_for_users("arrive", [7] * len(WAYS))
        assert [process.stop() for process in (relay, *workers.values())] == [0, 0, 0]
    assert relay.heard("span") == [], "a relay opens no spans"
    for way in WAYS:
        sender = cut_off if way == "spilled" else web
        view, sent = one(sender, "GET /award"), one(sender, f"send {service.topic(way)}")
        assert (sent["parent_id"], sent["kind"]) == (ids(view)[1], "SpanKind.PRODUCER")
        for tie, worker in workers.items():
            processed = one(worker, f"process {service.topic(way)}")
            (received,) = (span for span in worker.heard("span") if span["parent_id"] == ids(processed)[1])
            assert (processed["kind"], links(processed)) == ("SpanKind.CONSUMER", [ids(sent)])
            assert processed["attributes"]["messaging.consumer.group.name"] == f"{service.name}-{tie}"
            assert received["name"] == "tests.projects.certificates.traces.arrive"
            assert ids(received)[1] in [said["span"] for said in worker.heard("arrive")]
            of_request = ids(processed)[0] == ids(received)[0] == ids(view)[0]
            assert (processed["parent_id"], of_request) == ((ids(sent)[1], True) if tie == "parent" else (None, False))
