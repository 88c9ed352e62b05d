"""
Takes pictures of the pages of the admin for services that have failures: ``make screenshots``.

``python -m tests.browser.screenshots FOLDER`` takes the pictures for the documentation. With ``--all`` it also takes
pictures of each page in both widths, light and dark, for people to look at.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.logging_in import log_in
from tests.projects.process import ROOT
from tests.services.browser import WIDTHS, Browser, picture

_PAGES = {"overview": "Overview", "outbox": "Outbox", "workers": "Workers and relays", "events": "Events"}
_COUNTED_FOR = 70_000
"""Number of milliseconds after which the history has data to draw."""


def main(folder: Path, *, is_all: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with desk() as urls, Browser() as browser, browser.page() as page:
        log_in(page, urls["lms"], "admin", "admin")
        page.wait_for_timeout(_COUNTED_FOR)
        open_page(page, "Outbox")
        _take(page, folder / "outbox", is_all=is_all)
        log_in(page, urls["credentials"], "admin", "admin")
        for name in ("overview", "workers", "events"):
            open_page(page, _PAGES[name])
            _take(page, folder / name, is_all=is_all)
        open_page(page, "Workers and relays")
        page.get_by_role("link", name="credentials", exact=True).first.click()
        _take(page, folder / "group", is_all=is_all)
        open_page(page, "Dead letters")
        _take(page, folder / "dead-letters", is_all=is_all)
        page.get_by_role("button", name="Discard all that match").click()
        _take(page, folder / "discard", is_all=is_all)
        open_page(page, "Dead letters")
        page.get_by_role("link", name=re.compile(r"^demo-.*:\d+:\d+$")).first.click()
        _take(page, folder / "dead-letter", is_all=is_all)


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


def _take(page: Page, file: Path, *, is_all: bool) -> None:
    picture(page, file.with_suffix(".png"), width=1000, height=800)
    for width in WIDTHS if is_all else ():
        for dark in (False, True):
            shade = "dark" if dark else "light"
            picture(page, file.with_name(f"{file.name}-{width}-{shade}.png"), width=width, dark=dark)


if __name__ == "__main__":
    main(Path(sys.argv[1]), is_all="--all" in sys.argv[2:])
