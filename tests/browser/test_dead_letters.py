"""Tests in a browser: an operator searches, opens and handles dead letters in Django's admin."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from playwright.sync_api import Page

from event_bus_kafka.models import DeadLetter, Right
from tests.browser.conftest import Visit
from tests.services.browser import grave_faults, keyboard_faults
from tests.support.examples_of import certificate
from tests.support.letters import multiply, record_of, stored

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

AWARD, MAIL = "credentials.receivers.award", "mail.receivers.send"
SECRET = certificate(7).user.pii.email


def open_list(page: Page) -> None:
    page.get_by_role("link", name="Dead letters", exact=True).first.click()
    page.get_by_role("heading", name="Dead letters", level=1).wait_for()


def test_an_operator_can_find_unmask_and_discard_a_letter_by_clicking(visit: Visit) -> None:
    for offset in range(60):
        stored(record_of(7, offset=offset), MAIL if offset % 2 else AWARD)
    with visit(Right.VIEW, Right.DISCARD, Right.UNMASK, scripts=True) as page:
        open_list(page)
        assert grave_faults(page) == []
        page.get_by_text("Filters", exact=True).click()
        page.get_by_label("Receiver", exact=True).fill(AWARD)
        page.get_by_role("button", name="Filter").click()
        page.get_by_text("30 dead letters match").wait_for()
        page.get_by_text("Search for one event or key").click()
        page.get_by_label("Topic:partition:offset").fill("certificates:0:41")
        page.get_by_role("button", name="Search").click()
        page.get_by_text("1 dead letter matches").wait_for()
        assert "41" not in page.url.partition("/admin/")[2]  # the port may have these digits
        assert grave_faults(page) == []
        page.get_by_role("link", name="prod-certificates:0:41").click()
        page.get_by_text("what the event says is masked").wait_for()
        assert grave_faults(page) == []
        assert SECRET not in page.content()
        page.get_by_role("button", name="Look at the data unmasked").click()
        page.get_by_text(SECRET).wait_for()
        assert SECRET not in page.url + page.title()
        assert grave_faults(page) == []
        page.get_by_role("button", name="Discard …").click()
        page.get_by_text("1 dead letter will be deleted for good").wait_for()
        assert grave_faults(page) == []
        page.get_by_role("button", name="Discard 1 dead letter").click()
        page.get_by_text("Discarded 1 dead letter").wait_for()
        assert grave_faults(page) == []
    assert not DeadLetter.objects.filter(offset=41).exists()
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Looked at its data unmasked.",
        f"Discarded 1 dead letter (ticked). Receivers: {MAIL} (1).",
    ]


def test_discarding_all_letters_that_match_a_filter_keeps_all_other_letters(visit: Visit) -> None:
    groups = {offset: "mail" if offset < 1000 else "other" for offset in range(1, 1100)}
    multiply(stored(record_of(7), MAIL), [{"offset": offset, "group": group} for offset, group in groups.items()])
    with visit(Right.VIEW, Right.DISCARD) as page:
        open_list(page)
        page.get_by_text("Filters", exact=True).click()
        page.get_by_label("Group").fill("mail")
        page.get_by_role("button", name="Filter").click()
        assert page.get_by_label("Tick all").is_hidden()
        page.get_by_role("button", name="Discard all that match (1,000)").first.click()
        page.get_by_text("Chosen: all dead letters that match Group: mail.").wait_for()
        page.get_by_text("1,000 dead letters will be deleted for good").wait_for()
        assert DeadLetter.objects.count() == 1100
        page.get_by_role("button", name="Discard 1,000 dead letters").click()
        page.get_by_text("Discarded 1,000 dead letters").wait_for()
    assert DeadLetter.objects.count() == 100
    assert "Discarded 1,000 dead letters (all that match: group mail)" in LogEntry.objects.get().get_change_message()


def test_all_letters_of_a_page_are_ticked_by_one_click(visit: Visit) -> None:
    for offset in range(12):
        stored(record_of(7, offset=offset), MAIL)
    with visit(Right.VIEW, Right.DISCARD, scripts=True) as page:
        open_list(page)
        box = page.get_by_label("Tick all 12 on this page")
        box.check()
        assert keyboard_faults(page) == []
        page.get_by_label("Tick prod-certificates:0:5", exact=True).uncheck()
        assert box.evaluate("box => [box.checked, box.indeterminate]") == [False, True]
        page.get_by_role("button", name="Discard the ticked").last.click()
        page.get_by_text("Chosen: the 11 dead letters that you have ticked.").wait_for()
        page.go_back()
        assert box.evaluate("box => [box.checked, box.indeterminate]") == [False, True]
        page.get_by_label("Tick prod-certificates:0:5", exact=True).check()
        assert box.is_checked()


def test_viewers_see_masked_letters_without_discard_buttons_and_other_users_have_no_access(
    visit: Visit,
) -> None:
    letter = stored(record_of(7), MAIL)
    with visit(Right.VIEW) as page:
        open_list(page)
        assert page.get_by_role("button").all_inner_texts().count("Discard all 1 …") == 0
        page.get_by_role("link", name="prod-certificates:0:0").click()
        page.get_by_text("what the event says is masked").wait_for()
        assert page.get_by_role("button", name="unmasked").count() == 0
        assert page.get_by_role("button", name="Discard").count() == 0
        here = page.url
    with visit() as page:
        for url in (here, here.removesuffix(f"{letter.pk}/")):
            answer = page.goto(url)
            assert answer
            assert answer.status == 403
            assert "certificates" not in page.content()
