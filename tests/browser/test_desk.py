"""An operator finds the failures of the services of ``make demo-admin`` in a browser. All processes are real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser.logging_in import log_in
from tests.browser.screenshots import desk, open_page, wait_for
from tests.services.browser import Browser, grave_faults, keyboard_faults

pytestmark = pytest.mark.real

TITLES = ("Overview", "Dead letters", "Replay requests", "Outbox", "Workers and relays", "Events")
BELOW: list[tuple[str, Literal["link", "button"], str]] = [
    ("Events", "link", "org.openedx.learning.certificate.created.v1"),
    ("Events", "button", "Where is it?"),
    ("Workers and relays", "link", "credentials"),
    ("Workers and relays", "button", "Pause …"),
]
"""
How to reach pages of the service `credentials` that the navigation does not list. Each entry contains the title of a
page in the navigation, then the role and the name of the element to click on this page.
"""
PAUSED = "examples.tour.desk.troubles.draw_transcript"


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """Return the URLs of the admins by service. After the tests, check that no process is left running."""
    before = set(psutil.Process().children(recursive=True))
    with desk("sandbox") as urls:
        children = set(psutil.Process().children(recursive=True)) - before
        assert len(children) > 6  # the tour itself, the bus, and a worker and a site for each service
        yield urls
    assert not any(child.is_running() for child in children)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page that runs no scripts."""
    with browser.page(scripts=False) as page:
        yield page


@pytest.mark.timeout(600)  # the first test waits until all are up
def test_each_admin_page_is_reached_by_clicking_and_is_accessible(urls: dict[str, str], browser: Browser) -> None:
    with browser.page() as page:
        log_in(page, urls["lms"], "admin", "admin")
        faults = [fault for title in ("Overview", "Outbox") for fault in _faults_of(page, title)]
        log_in(page, urls["credentials"], "admin", "admin")
        faults += [fault for title in TITLES for fault in _faults_of(page, title)]
        for title, role, name in BELOW:
            open_page(page, title)
            page.get_by_role(role, name=name).first.click()
            faults += grave_faults(page) + keyboard_faults(page)
    assert faults == []


def _faults_of(page: Page, title: str) -> list[str]:
    open_page(page, title)
    return grave_faults(page) + keyboard_faults(page)


@pytest.mark.timeout(600)
def test_a_pause_from_the_admin_reaches_a_running_worker(urls: dict[str, str], page: Page) -> None:
    log_in(page, urls["credentials"], "admin", "admin")
    open_page(page, "Workers and relays")
    page.get_by_role("button", name=f"Pause … {PAUSED}").first.click()
    page.get_by_label("Reason (shown to other operators").fill("It is too slow")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text(f"Paused {PAUSED}: It is too slow.").wait_for()
    open_page(page, "Dead letters")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Receiver", exact=True).fill(PAUSED)
    page.get_by_label("Error contains").fill("paused")
    page.get_by_role("button", name="Filter").click()
    wait_for(page, f"{PAUSED}: ")  # the worker passes no more events to the receiver


@pytest.mark.timeout(600)
def test_a_parked_row_is_released_by_clicking(urls: dict[str, str], page: Page) -> None:
    log_in(page, urls["lms"], "admin", "admin")
    open_page(page, "Outbox")
    wait_for(page, "MSG_SIZE_TOO_LARGE")
    page.get_by_role("button", name="Release", exact=False).first.click()
    expect(page.get_by_text("1 parked event would be released.")).to_be_visible()
    expect(page.get_by_text("Set the topic's max.message.bytes to at least ")).to_be_visible()
    page.get_by_role("button", name="Release 1 event").click()
    page.get_by_text("Released 1 parked event").wait_for()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_text("Recent actions")).to_be_visible()


@pytest.mark.timeout(600)
def test_dead_letters_of_a_repaired_receiver_are_replayed_by_clicking(urls: dict[str, str], page: Page) -> None:
    log_in(page, urls["lms"], "admin", "admin")
    open_page(page, "Dead letters")
    wait_for(page, "24 dead letters, no filter set")
    page.get_by_role("link", name="Home").click()
    page.get_by_role("link", name="Maintenances", exact=True).first.click()
    page.get_by_role("link", name="certificates").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_role("link", name="Home").click()
    open_page(page, "Dead letters")
    page.get_by_role("button", name="Replay all 24").first.click()
    page.get_by_label("Reason (shown to other operators").fill("Certificates are mended")
    page.get_by_role("button", name="Request the replay of 24 dead letters").click()
    page.wait_for_url("**/replayrequest/*/")
    while not page.get_by_text("24 of 24 letters done").count():
        page.wait_for_timeout(300)
        page.reload()
    open_page(page, "Dead letters")
    page.get_by_text("No dead letters.").first.wait_for()
