"""
An operator requests replays of dead letters in the admin, for example after a receiver is repaired. Real workers run
these replays while they process live events.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from event_bus_kafka.models import DeadLetter, ReplayRequest, Right
from tests.browser.logging_in import log_in
from tests.projects.certificates import replaying
from tests.projects.process import ServiceProcess
from tests.services.browser import Browser, grave_faults
from tests.services.bus import RealBus
from tests.support.admin_clients import staff_with
from tests.support.databases import Database
from tests.support.order import numbered
from tests.support.requested import (
    Requesting,
    connected,
    counts,
    eventually,
    first_to_begin,
    heard,
    in_order,
    named,
    silence,
    store_letters,
    twice,
)
from tests.support.scale import scaled
from tests.support.sending import send

pytestmark = [pytest.mark.real, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]

USERS, EACH = range(1, 6), 4
LIVE, LIVE_EACH = range(101, 106), scaled(10, long=150)
MANY = range(1, 11)
RECEIVERS = (replaying.mended, replaying.refuse, replaying.first, replaying.second, replaying.third)
"""The receivers in the process of the admin. The pages show which receivers exist in this process."""
SETTINGS = {
    "EVENT_BUS_KAFKA_HEARTBEAT": 0.5,
    "EVENT_BUS_KAFKA_RETRY": {"attempts": 1},
    "EVENT_BUS_KAFKA_CIRCUIT": {"failures": 1_000},
}


@pytest.fixture(autouse=True)
def site(database: Database) -> Iterator[str]:
    """
    Return the URL of an admin that uses the database of the workers. Its process has the same receivers as the workers.
    """
    for receiver in RECEIVERS:
        CERTIFICATE_CREATED.connect(receiver)
    with connected(database), override_settings(EVENT_BUS_KAFKA_HEARTBEAT=10, ALLOWED_HOSTS=["localhost"]):
        server = LiveServer("localhost")
        yield f"{server.url}/admin/"
        server.stop()
    for receiver in RECEIVERS:
        CERTIFICATE_CREATED.disconnect(receiver)


def test_dead_letters_of_a_repaired_receiver_are_replayed_at_the_request_of_an_operator(
    bus: RealBus, topic: str, group: str, database: Database, site: str, tmp_path: Path
) -> None:
    receivers = ",".join(f"replaying.{name}" for name in ("mended", "first"))
    service = Requesting(bus=bus, database=database, topic=topic, group=group, receivers=receivers, settings=SETTINGS)
    is_mended = tmp_path / "mended"
    count = len(USERS) * EACH
    store_letters(bus, topic, group, [200], 1, *named("refuse"))  # no worker has this receiver
    with ExitStack() as stack:
        workers = [stack.enter_context(service.worker(environment={"MENDED": str(is_mended)})) for _ in range(2)]
        send(bus, topic, *numbered(list(USERS), EACH))
        eventually(lambda: DeadLetter.objects.count() == count + 1, lambda: "\n".join(one.log for one in workers))
        is_mended.touch()
        live = threading.Thread(target=_send_live, args=(bus, topic))
        live.start()
        with _operator(site) as page:
            _request(page, count + 1)
            _watch(page, count + 1, succeeded=count)
        live.join()
        eventually(partial(_have_had_all_live, workers, "mended"), lambda: "live events are missing")
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


@pytest.mark.timeout(scaled(300, long=2_400))
def test_letters_of_three_receivers_are_replayed_in_order_although_a_worker_is_killed(
    bus: RealBus, topic: str, group: str, database: Database, site: str
) -> None:
    names = ("first", "second", "third")
    receivers = ",".join(f"replaying.{name}" for name in names)
    service = Requesting(bus=bus, database=database, topic=topic, group=group, receivers=receivers, settings=SETTINGS)
    count = store_letters(bus, topic, group, MANY, scaled(20, long=1_000), *named(*names))
    with ExitStack() as stack:
        page = stack.enter_context(_operator(site))
        workers = [stack.enter_context(service.worker()) for _ in range(2)]
        number = _request(page, count)
        live = threading.Thread(target=_send_live, args=(bus, topic))
        live.start()
        killed = first_to_begin(MANY, workers)
        begun = "for a tenth of the letters"
        killed.wait_for(lambda: len(killed.heard("ends")) > count // 10, begun, seconds=scaled(60, long=600))
        killed.kill()
        apart = threading.Thread(target=_silence, args=(number,))  # in this thread the browser's event loop runs
        apart.start()
        apart.join()
        _watch(page, count, succeeded=count)
        live.join()
        (left,) = [one for one in workers if one is not killed]
        for name in names:
            eventually(partial(_have_had_all_live, workers, name), lambda: "live events are missing")
        assert left.stop() == 0
    assert counts(number) == {"succeeded": count}
    assert DeadLetter.objects.count() == 0
    for name in names:
        ended = [one for one in heard("ends", name, *workers) if one[0] in MANY]
        assert len(set(ended)) == count
        assert len(twice(ended)) <= 1, "the letter that ran when the worker was killed, on its only lane"
        assert in_order([one for one in heard("begins", name, *workers) if one[0] in MANY])
    assert LogEntry.objects.get().user.get_username() == "anna"
    _print_rates(*workers)


def _print_rates(*workers: ServiceProcess) -> None:
    at = {
        users: sorted(line["at"] for one in workers for line in one.heard("ends") if line["user"] in users)
        for users in (MANY, LIVE)
    }
    for what, times in zip(("letters", "live events"), at.values(), strict=True):
        seconds = times[-1] - times[0]
        print(f"{len(times) // 3} {what} in {seconds:.0f} s: {len(times) / 3 / seconds:.1f} a second")


def _silence(number: int) -> None:
    silence(number)
    connections["default"].close()


def _send_live(bus: RealBus, topic: str) -> None:
    for number in range(LIVE_EACH):
        send(bus, topic, *numbered(list(LIVE), 1, begin=number))
        sleep(scaled(0, long=1))


def _have_had_all_live(workers: list[ServiceProcess], receiver: str) -> bool:
    return {(user, number) for user in LIVE for number in range(LIVE_EACH)} <= set(heard("ends", receiver, *workers))


@contextmanager
def _operator(site: str) -> Iterator[Page]:
    user = staff_with(Right.VIEW, Right.REPLAY, name="anna")
    with Browser() as browser, browser.page(scripts=True) as page:
        log_in(page, site, user.get_username())
        yield page


def _request(page: Page, count: int) -> int:
    """Request the replay of all dead letters; return the number of the request."""
    page.get_by_role("link", name="Dead letters", exact=True).first.click()
    page.get_by_text(f"{count:,} dead letters, no filter set").wait_for()
    page.get_by_role("button", name=f"Replay all {count:,}").first.click()
    page.get_by_text(f"{count:,} dead letters would be given to receivers again").wait_for()
    assert grave_faults(page) == []
    _change_the_receivers(page)
    page.get_by_text(f"{count:,} dead letters would be given to receivers again").wait_for()
    reason = page.get_by_label("Reason (shown to other operators")
    reason.fill("the template is mended")
    with page.expect_navigation():
        reason.press("Enter")
    assert reason.input_value() == "the template is mended", "the Enter key only shows the plan"
    page.get_by_role("button", name=f"Request the replay of {count:,} dead letters").click()
    heading = page.get_by_role("heading", name=re.compile(r"Replay request \d+"), level=1)
    return int(heading.inner_text().split()[-1])


def _change_the_receivers(page: Page) -> None:
    """
    Ask for a replay with a receiver that does not exist. The page shows an error and an empty plan. Then show the plan
    for all receivers again.
    """
    receiver = page.get_by_label("Only this receiver")
    receiver.fill("no.such.receiver")
    page.get_by_role("button", name="Request the replay").click()
    page.get_by_text("Nothing was requested: no receiver is named no.such.receiver.").wait_for()
    page.get_by_text("Nothing would run.").wait_for()
    assert grave_faults(page) == []
    receiver.fill("")
    page.get_by_role("button", name="Show what would run").click()


def _watch(page: Page, count: int, *, succeeded: int) -> None:
    """Reload the page until the request has ended; then check the results that the page shows."""
    page.wait_for_load_state()
    while page.get_by_text("Look again").count():
        page.wait_for_timeout(300)
        page.reload()
    assert grave_faults(page) == []
    assert page.get_by_role("progressbar").get_attribute("value") == str(count)
    text = re.sub(r"\s+", " ", page.inner_text("main"))
    assert f"{count:,} of {count:,} letters done State done Succeeded {succeeded}" in text
    page.get_by_role("link", name="Replay requests", exact=True).first.click()
    page.get_by_text(f"{count:,} of {count:,}").wait_for()
    assert grave_faults(page) == []
    page.get_by_role("link", name="Overview", exact=True).first.click()
    page.get_by_text("the template is mended").wait_for()
