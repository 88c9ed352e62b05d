"""Fills in the login form of Django's admin."""

from __future__ import annotations

from playwright.sync_api import Page


def log_in(page: Page, url: str, username: str, password: str = "password") -> None:
    """
    Log in as the staff member ``username`` at ``url``, the index page of the admin, and wait until this page is shown.
    """
    page.goto(url)
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Site administration").wait_for()
