"""Runs a real browser: Debian's Chromium, controlled by playwright. axe checks its pages for accessibility."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from types import TracebackType

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import ConsoleMessage, FloatRect, Page, Playwright, sync_playwright

from tests.services.debian import install

WIDTHS = (1280, 390)
"""Widths in pixels of the windows of a desktop and of a phone."""
_PATIENCE = 60_000
"""Time limit of a wait in milliseconds. The limit is long because only a failing test reaches it."""
_GRAVE = {"serious", "critical"}
_AXE = {"resultTypes": ["violations"]}
_NO_TRANSITIONS = "* { transition: none !important; }"
"""Style that switches off transitions. With transitions, colours would change slowly."""
_CUT_TABLES = """() => [...document.querySelectorAll(".event-bus-scrolled")]
    .filter(one => one.scrollWidth > one.clientWidth).map(one => one.ariaLabel)"""
_BROKEN_WORDS = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
    const broken = [];
    while (walker.nextNode()) {
        const node = walker.currentNode, parent = node.parentElement;
        const isText = parent.closest(".event-bus-page, h1, .breadcrumbs") && !parent.closest("pre, code");
        if (!isText || !parent.checkVisibility()) continue;
        range.selectNodeContents(node);
        if (range.getClientRects().length < 2) continue;
        const top = index => {
            range.setStart(node, index);
            range.setEnd(node, index + 1);
            return range.getBoundingClientRect().top;
        };
        const inside = node.data.matchAll(/[\\p{L}\\p{N}](?=[\\p{L}\\p{N}])/gu);
        if ([...inside].some(({index}) => top(index) !== top(index + 1))) broken.push(node.data.trim().slice(0, 80));
    }
    return broken;
}"""
_WATCH_FOCUS = """() => {
    const focusable = ":is(a[href], button, input:not([type=hidden]), select, summary, [tabindex='0'])";
    const told = one => one.outerHTML.slice(0, 120);
    const look = one => {
        const style = getComputedStyle(one);
        return [style.outline, style.boxShadow, style.borderColor, style.backgroundColor].join();
    };
    const ours = [...document.querySelectorAll(".event-bus-page " + focusable)].filter(one => one.checkVisibility());
    const before = new Map(ours.map(one => [one, look(one)])), missed = new Set(ours), same = new Set();
    document.addEventListener("focusin", ({target}) => {
        missed.delete(target);
        if (before.get(target) === look(target)) same.add(target);
    });
    window.focusFaults = () => [
        ...[...missed].map(one => "not reached: " + told(one)), ...[...same].map(one => "focus not seen: " + told(one)),
    ];
    document.activeElement.blur();
    return document.querySelectorAll(focusable).length + 5;
}"""


class Browser:
    """
    A browser that may send requests only to the server of a test.

    While the browser is open, an event loop runs in the thread that opened the browser. Django refuses database queries
    in threads with an event loop, so the browser switches this check of Django off.
    """

    def __enter__(self) -> Browser:
        if not shutil.which("chromium"):
            install("chromium", "fonts-dejavu-core")
        self._allowed_before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        self._driver: Playwright = sync_playwright().start()
        self._browser: PlaywrightBrowser = self._driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
            ],
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._browser.close()
        self._driver.stop()
        if self._allowed_before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = self._allowed_before

    @contextmanager
    def page(self, *, scripts: bool = True) -> Iterator[Page]:
        """
        Yield a page with separate cookies. The test fails if the browser's console shows an unexpected error, for
        example of a script or of a request to another server.
        """
        context = self._browser.new_context(viewport={"width": WIDTHS[0], "height": 900}, java_script_enabled=scripts)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        complaints: list[str] = []

        def hear(message: ConsoleMessage) -> None:
            is_expected = "status of 403" in message.text or message.location["url"].endswith("/favicon.ico")
            if message.type == "error" and not is_expected:
                complaints.append(message.text)

        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            yield page
        finally:
            context.close()
        assert complaints == [], "; ".join(complaints)


@contextmanager
def shown(page: Page, *, width: int, dark: bool) -> Iterator[None]:
    """While the block runs, show a page with the given width, in light or dark colours."""
    before = page.viewport_size or {"width": WIDTHS[0], "height": 900}
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if dark else "light")
    try:
        yield
    finally:
        page.set_viewport_size(before)
        page.emulate_media(color_scheme="light")


def grave_faults(page: Page) -> list[str]:
    """
    Return the serious and critical faults that axe finds on a page, and further faults: the page is wider than its
    window, a table is cut off, or a line ends within a word. The page is checked in each width, in light and in dark
    colours.
    """
    page.wait_for_load_state()
    shows = product(WIDTHS, (False, True))
    return [fault for width, dark in shows for fault in _faults(page, width=width, dark=dark)]


def keyboard_faults(page: Page) -> list[str]:
    """
    Return the elements of a page of this package that the Tab key does not reach, and the elements that look the same
    with and without the focus.
    """
    page.add_style_tag(content=_NO_TRANSITIONS)
    for _ in range(page.evaluate(_WATCH_FOCUS)):
        page.keyboard.press("Tab")
    return [f"{page.url}: {fault}" for fault in page.evaluate("window.focusFaults()")]


def picture(page: Page, file: Path, *, width: int, dark: bool = False, height: int | None = None) -> None:
    """
    Save a picture of the whole page, or of its upper ``height`` pixels. The page is scrolled to its top, because the
    admin's menu stays at the top of the window: on a picture of a scrolled page, the menu would be far down.
    """
    with shown(page, width=width, dark=dark):
        page.evaluate("scrollTo(0, 0)")
        clip: FloatRect | None = {"x": 0, "y": 0, "width": width, "height": height} if height else None
        page.screenshot(path=file, full_page=True, clip=clip, animations="disabled")


def _faults(page: Page, *, width: int, dark: bool) -> Iterator[str]:
    with shown(page, width=width, dark=dark):
        page.add_style_tag(content=_NO_TRANSITIONS)
        where = f"{page.url} at {width} px, {'dark' if dark else 'light'}"
        for found in Axe().run(page, options=_AXE).response["violations"]:
            if found["impact"] in _GRAVE:
                places = "; ".join(node["html"][:120] for node in found["nodes"][:3])
                yield f"{where}: {found['id']}: {found['help']}: {places}"
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            yield f"{where}: the page is wider than its window"
        for name in page.evaluate(_CUT_TABLES):
            yield f"{where}: the table {name!r} is cut off"
        for text in page.evaluate(_BROKEN_WORDS):
            yield f"{where}: a line ends within a word of {text!r}"
