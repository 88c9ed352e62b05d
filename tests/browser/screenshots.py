"""
Takes pictures of the pages of the admin for services that have failures: ``make screenshots``.

``python -m tests.browser.screenshots FOLDER`` takes only the pictures that the documentation shows. With ``--all`` it
takes pictures of each page in both widths, in light and in dark colours, for people to check.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Page

from examples.tour.desk import WITHOUT_WORKER
from tests.browser.logging_in import log_in
from tests.projects.process import ROOT
from tests.services.browser import WIDTHS, Browser, picture

_TYPE = "org.openedx.learning.certificate.created.v1"
_COUNTED = "peak"
"""A word that the overview shows as soon as a chart has a line, at most about two minutes after the start."""


def main(folder: Path, *, is_all: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with desk() as urls, Browser() as browser, browser.page() as page:
        log_in(page, urls["lms"], "admin", "admin")
        open_page(page, "Overview")
        wait_for(page, _COUNTED)
        _take(page, folder, _of_the_outbox(page), is_all=is_all)
        if is_all:
            log_in(page, urls[WITHOUT_WORKER], "admin", "admin")
            _take(page, folder, _without_a_worker(page), is_all=is_all)
        log_in(page, urls["credentials"], "admin", "admin")
        for shots in (_of_what_runs(page), _of_events(page), _of_letters(page), _of_replays(page)):
            _take(page, folder, shots, is_all=is_all)


Shots = Iterator[tuple[str, bool]]
"""
Yields a pair for each picture: its name, and whether the documentation shows it. When a pair is yielded, the browser
shows the page for the picture.
"""


def _of_the_outbox(page: Page) -> Shots:
    open_page(page, "Outbox")
    yield "outbox", True
    page.get_by_role("button", name="Release", exact=False).first.click()
    yield "release", False
    open_page(page, "Overview")
    yield "overview-of-sender", False
    open_page(page, "Workers and relays")
    yield "relays", False


def _without_a_worker(page: Page) -> Shots:
    open_page(page, "Overview")
    yield "overview-without-worker", False
    open_page(page, "Workers and relays")
    page.get_by_role("link", name=WITHOUT_WORKER, exact=True).first.click()
    yield "group-without-worker", False


def _of_what_runs(page: Page) -> Shots:
    open_page(page, "Overview")
    wait_for(page, _COUNTED)
    yield "overview", True
    for summary in page.locator("summary").all():
        summary.click()
    yield "overview-tables", False
    open_page(page, "Workers and relays")
    wait_for(page, "Slow receivers")
    yield "workers", True
    page.get_by_role("button", name="Pause", exact=False).first.click()
    yield "pause", False
    open_page(page, "Workers and relays")
    page.get_by_role("link", name="credentials", exact=True).first.click()
    wait_for(page, "Slow receivers")
    yield "group", True


def _of_events(page: Page) -> Shots:
    open_page(page, "Events")
    yield "events", True
    page.get_by_role("link", name=_TYPE).first.click()
    yield "event-type", False


def _of_letters(page: Page) -> Shots:
    open_page(page, "Dead letters")
    yield "dead-letters", True
    page.get_by_role("button", name=re.compile("Discard all")).first.click()
    yield "discard", True
    open_page(page, "Dead letters")
    page.get_by_role("link", name=re.compile(r"^demo-.*:\d+:\d+$")).first.click()
    yield "dead-letter", True
    page.get_by_role("button", name="Where is this event?").click()
    page.get_by_role("heading", name="What is known").wait_for()
    yield "where", False
    page.go_back()
    page.get_by_role("button", name="Look at the data unmasked").click()
    yield "dead-letter-unmasked", False


def _of_replays(page: Page) -> Shots:
    open_page(page, "Dead letters")
    page.get_by_role("button", name=re.compile("Replay all")).first.click()
    yield "replay-plan", False
    page.get_by_label("Only this receiver").fill("no.such.receiver")
    page.get_by_role("button", name="Request the replay").click()
    yield "replay-plan-changed", False
    page.get_by_label("Only this receiver").fill("")
    page.get_by_role("button", name="Show what would run").click()
    page.get_by_role("button", name="Request the replay").click()
    yield "replay-request", False
    open_page(page, "Replay requests")
    yield "replay-requests", False
    page.get_by_role("link", name="Replay a topic").click()
    yield "replay-of-topic", False
    _plan_a_replay_of_a_topic(page)
    yield "replay-of-topic-plan", False
    page.get_by_role("button", name="Request the replay of").click()
    yield "replay-of-topic-request", False
    open_page(page, "Replay requests")
    page.get_by_role("link", name="Backfill").click()
    yield "backfill", False


def _plan_a_replay_of_a_topic(page: Page) -> None:
    topic = "learning-certificate-lifecycle"
    for label, text in (("Topic, or topic:partition", topic), ("From:", "earliest"), ("Group", "credentials")):
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="Show what it would do").click()


@contextmanager
def desk(kafka: str = "real") -> Iterator[dict[str, str]]:
    """
    Run services, some of which fail; yield the URLs of their admins by service. Both the user and the password are
    `admin`.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "examples.tour", "--admin"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"KAFKA": kafka, "DJANGO_SUPERUSER_PASSWORD": "admin"},
    ) as process:
        try:
            yield urls_of(process)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()
    assert process.returncode == 0


def urls_of(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return the URLs that the services print after their start."""
    assert process.stdout
    urls: dict[str, str] = {}
    for line in process.stdout:
        if found := re.match(r"  (\w+) +(http://\S+)$", line):
            urls[found[1]] = found[2]
        if "Ctrl-C ends all" in line:
            return urls
    raise RuntimeError(f"The services ended: exit code {process.wait()}.")


def open_page(page: Page, title: str) -> None:
    """Click on the link to a page in the navigation."""
    page.get_by_role("link", name=title, exact=True).first.click()
    page.get_by_role("heading", name=title, level=1).wait_for()


def wait_for(page: Page, text: str) -> None:
    """Reload the page until it contains the text."""
    while page.get_by_text(text).count() == 0:
        page.wait_for_timeout(500)
        page.reload()


def _take(page: Page, folder: Path, shots: Shots, *, is_all: bool) -> None:
    for name, is_in_docs in shots:
        if is_in_docs:
            picture(page, folder / f"{name}.png", width=1000, height=960)
        for width, dark in product(WIDTHS, (False, True)) if is_all else ():
            picture(page, folder / f"{name}-{width}-{'dark' if dark else 'light'}.png", width=width, dark=dark)


if __name__ == "__main__":
    main(Path(sys.argv[1]), is_all="--all" in sys.argv[2:])
