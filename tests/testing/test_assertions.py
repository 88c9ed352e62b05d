"""Assertions about captured events find the expected event, or fail with a message that shows the reason."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from openedx_events.apps import general_signal_handler
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka.testing import CapturedEvents, captured_events
from tests.services.bus import CREATED, REVOKED
from tests.support.examples_of import certificate
from tests.testing.conftest import CONFIG, ENTRY


@pytest.fixture
def two(events: CapturedEvents) -> CapturedEvents:
    CERTIFICATE_CREATED.send_event(certificate=certificate(1, grade="0.5"))
    CERTIFICATE_CREATED.send_event(certificate=certificate(2, name="Other"))
    return events


def test_the_method_assert_sent_returns_the_first_matching_event(two: CapturedEvents) -> None:
    assert two.assert_sent(CREATED) is two.assert_sent(CERTIFICATE_CREATED)
    for expected in (
        {"key": 2},
        {"certificate": certificate(2, name="Other")},
        {"certificate__user__id": 2},
        {"certificate": lambda it: it.name == "Other"},
        {"certificate__name": lambda name: name.startswith("O"), "certificate__grade": "0.9"},
    ):
        assert two.assert_sent(CERTIFICATE_CREATED, topic="certificates", **expected).key == 2


def failure(events: CapturedEvents, *arguments: Any, **expected: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        events.assert_sent(*arguments, **expected)
    return str(caught.value)


def test_a_failed_assertion_shows_the_difference_to_the_nearest_event(two: CapturedEvents) -> None:
    assert failure(two, CERTIFICATE_CREATED, topic="diplomas", certificate=certificate(3, name="Other")) == (
        f"{CREATED} with topic 'diplomas', this certificate was not sent.\n"
        "The nearest of 2:\n"
        "  topic: expected 'diplomas', got 'certificates'\n"
        "  certificate.user.id: expected 3, got 2"
    )


def test_a_failed_assertion_names_a_predicate_that_returned_false(two: CapturedEvents) -> None:
    def passed(grade: str) -> bool:
        return float(grade) > 0.95

    assert "passed to accept it, got '0.5'" in failure(two, CERTIFICATE_CREATED, certificate__grade=passed)


def test_a_failed_assertion_names_event_types_that_were_sent(two: CapturedEvents) -> None:
    assert f"Sent was: {CREATED} (2)." in failure(two, REVOKED)


@pytest.mark.parametrize(
    ("config", "emit", "reason"),
    [
        (CONFIG, False, "It was not emitted. Its topics: certificates."),
        ({}, True, "It was emitted 1 time; EVENT_BUS_PRODUCER_CONFIG has no entry for it, so it is not sent."),
        (
            {CREATED: {"certificates": ENTRY | {"enabled": False}}},
            True,
            "It was emitted 1 time; in EVENT_BUS_PRODUCER_CONFIG none of its topics is enabled (certificates).",
        ),
    ],
)
def test_a_failed_assertion_says_why_no_event_was_captured(
    events: CapturedEvents, settings: Any, config: dict[str, Any], emit: bool, reason: str
) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = config
    if emit:
        CERTIFICATE_CREATED.send_event(certificate=certificate())
    assert failure(events, CERTIFICATE_CREATED) == f"{CREATED} was not sent.\n{reason}\nSent was: nothing."


def test_a_failed_assertion_says_that_the_signal_is_disabled(events: CapturedEvents) -> None:
    CERTIFICATE_CREATED.disable()
    try:
        CERTIFICATE_CREATED.send_event(certificate=certificate())
        assert "needs it in ENABLED_OPENEDX_EVENTS" in failure(events, CERTIFICATE_CREATED)
    finally:
        CERTIFICATE_CREATED.enable()


@override_settings(INSTALLED_APPS=["django.contrib.contenttypes"])
def test_a_failed_assertion_says_that_openedx_events_is_not_installed() -> None:
    CERTIFICATE_CREATED.disconnect(general_signal_handler)  # the app connects it again
    with captured_events() as events:
        CERTIFICATE_CREATED.send_event(certificate=certificate())
    assert "'openedx_events' is not in INSTALLED_APPS" in failure(events, CERTIFICATE_CREATED)


@pytest.mark.django_db
def test_a_failed_assertion_says_that_the_transaction_was_rolled_back(events: CapturedEvents) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(1))
        raise RuntimeError
    assert "One was emitted in a transaction that was rolled back" in failure(events, CERTIFICATE_CREATED)


def test_the_method_assert_not_sent_fails_if_a_matching_event_was_sent(two: CapturedEvents) -> None:
    two.assert_not_sent(REVOKED)
    two.assert_not_sent(CERTIFICATE_CREATED, topic="diplomas")
    two.assert_not_sent(CERTIFICATE_CREATED, key=1, certificate__grade="0.9")
    with pytest.raises(AssertionError) as caught:
        two.assert_not_sent(CERTIFICATE_CREATED, key=2)
    assert str(caught.value) == f"Sent against expectation:\n  {CREATED} to 'certificates' with key 2"
    with pytest.raises(AssertionError, match="with key 1\n"):
        two.assert_not_sent()


@pytest.mark.parametrize(
    ("arguments", "expected", "reason"),
    [
        ((CREATED,), {"certificate__grades": 1}, "certificate__grades fails at 'grades': it has user, course, "),
        ((CREATED,), {"certificates": 1}, "certificates fails at 'certificates': it has certificate"),
        ((CREATED,), {"certificate__grade__x": 1}, "fails at 'x': its value has no fields"),
        ((CREATED.replace("created", "creatde"),), {}, f"did you mean '{CREATED}'"),
        ((), {"certificate": 1}, "Pass the event"),
    ],
)
def test_assertions_refuse_an_expectation_that_no_event_can_meet(
    events: CapturedEvents, arguments: tuple[str, ...], expected: dict[str, Any], reason: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=reason):
        events.assert_not_sent(*arguments, **expected)


def test_the_repr_of_captured_events_lists_the_events(two: CapturedEvents) -> None:
    assert repr(two) == (
        f"<CapturedEvents: {CREATED} to 'certificates' with key 1; {CREATED} to 'certificates' with key 2>"
    )
