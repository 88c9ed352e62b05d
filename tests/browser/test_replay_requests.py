"""A receiver is mended, and one click brings its dead letters through: by real workers, beside live events."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from event_bus_kafka.models import DeadLetter, ReplayRequest, Right
from tests.browser.logging_in import log_in
from tests.projects.certificates import replaying
from tests.services.browser import Browser, grave_faults
from tests.services.bus import RealBus
from tests.support.admin_clients import staff_with
from tests.support.databases import Database
from tests.support.order import numbered
from tests.support.requested import Requesting, connected, eventually, heard, in_order, named, store_letters
from tests.support.sending import send

pytestmark = [pytest.mark.real, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]

USERS, EACH = range(1, 6), 4
LIVE, LIVE_EACH = range(101, 106), 10
SETTINGS = {
    "EVENT_BUS_KAFKA_HEARTBEAT": 0.5,
    "EVENT_BUS_KAFKA_RETRY": {"attempts": 1},
    "EVENT_BUS_KAFKA_CIRCUIT": {"failures": 1_000},
}


@pytest.fixture(autouse=True)
def site(database: Database) -> Iterator[str]:
    """Return the URL of an admin on the database of the workers, whose receivers it has."""
    for receiver in (replaying.mended, replaying.refuse):
        CERTIFICATE_CREATED.connect(receiver)
    with connected(database), override_settings(EVENT_BUS_KAFKA_HEARTBEAT=10, ALLOWED_HOSTS=["localhost"]):
        server = LiveServer("localhost")
        yield f"{server.url}/admin/"
        server.stop()
    for receiver in (replaying.mended, replaying.refuse):
        CERTIFICATE_CREATED.disconnect(receiver)


def test_letters_of_a_receiver_that_is_mended_are_brought_through_by_a_click(
    bus: RealBus, topic: str, group: str, database: Database, site: str, tmp_path: Path
) -> None:
    receivers = ",".join(f"replaying.{name}" for name in ("mended", "first"))
    service = Requesting(bus=bus, database=database, topic=topic, group=group, receivers=receivers, settings=SETTINGS)
    is_mended = tmp_path / "mended"
    count = len(USERS) * EACH
    store_letters(bus, topic, group, [200], 1, *named("refuse"))  # none of the workers has it
    with ExitStack() as stack:
        workers = [stack.enter_context(service.worker(environment={"MENDED": str(is_mended)})) for _ in range(2)]
        send(bus, topic, *numbered(list(USERS), EACH))
        eventually(lambda: DeadLetter.objects.count() == count + 1, lambda: "\n".join(one.log for one in workers))
        is_mended.touch()
        live = threading.Thread(target=_send_live, args=(bus, topic))
        live.start()
        with _operator(site) as page:
            _request(page, count + 1)
            _watch(page, count + 1)
        live.join()
        wanted = {(user, number) for user in LIVE for number in range(LIVE_EACH)}
        eventually(lambda: wanted <= set(heard("ends", "mended", *workers)), lambda: "live events are missing")
        assert [one.stop() for one in workers] == [0, 0]
    request = ReplayRequest.objects.get()
    assert (request.state, request.requested_by, request.reason) == ("done", "anna", "the template is mended")
    assert [one.failed_receivers for one in DeadLetter.objects.all()] == [named("refuse")]
    replayed = [one for one in heard("ends", "mended", *workers) if one[0] in USERS]
    assert sorted(replayed) == [(user, number) for user in USERS for number in range(EACH)], "each once"
    assert in_order(replayed)
    (entry,) = LogEntry.objects.all()
    assert entry.user.get_username() == "anna"
    assert f"Requested replay {request.pk}: {count + 1} dead letters of group {group}" in entry.get_change_message()


def _send_live(bus: RealBus, topic: str) -> None:
    for number in range(LIVE_EACH):
        send(bus, topic, *numbered(list(LIVE), 1, begin=number))


@contextmanager
def _operator(site: str) -> Iterator[Page]:
    user = staff_with(Right.VIEW, Right.REPLAY, name="anna")
    with Browser() as browser, browser.page(scripts=True) as page:
        log_in(page, site, user.get_username())
        yield page


def _request(page: Page, count: int) -> None:
    page.get_by_role("link", name="Dead letters", exact=True).first.click()
    page.get_by_text(f"{count} dead letters match").wait_for()
    page.get_by_role("button", name="Replay all that match").click()
    page.get_by_text(f"{count} dead letters would be given to receivers again").wait_for()
    assert grave_faults(page) == []
    page.get_by_label("Why, for whoever looks").fill("the template is mended")
    page.get_by_role("button", name=f"Request the replay of {count} dead letters").click()
    page.get_by_role("heading", name=re.compile(r"Replay request \d+"), level=1).wait_for()


def _watch(page: Page, count: int) -> None:
    """Look again and again until it has ended, then read the report."""
    while page.get_by_text("Look again").count():
        page.wait_for_timeout(300)
        page.get_by_text("Look again").click()
    assert grave_faults(page) == []
    assert page.get_by_role("progressbar").get_attribute("value") == str(count)
    text = re.sub(r"\s+", " ", page.inner_text("main"))
    assert f"State done Letters done {count} of {count} Succeeded {count - 1}" in text
    page.get_by_role("link", name="Replay requests", exact=True).first.click()
    page.get_by_text(f"{count} of {count}").wait_for()
    assert grave_faults(page) == []
    page.get_by_role("link", name="Overview", exact=True).first.click()
    page.get_by_text("the template is mended").wait_for()
