"""Rows about orders and licences."""

from __future__ import annotations

from collections import Counter
from typing import Any

from examples.commerce.models import Order
from examples.enterprise_catalog.models import Seat, Subscription
from examples.licences.models import LicensedEnrollment
from examples.lms.models import Booking, Enrollment, JournalEntry, License
from examples.reporting.models import Fact
from examples.tour.scene import Scene, row

SEAT, COURSE = "course-v1:edX+Seat+2026", "course-v1:edX+Enterprise+2026"
CUSTOMER = "f2b0b4c8-31cb-4b3c-8c58-7f4d1b7d6d51"
BOOKED = [("fulfilled", 9900), ("refunded", -9900)]


@row("4", "Commerce ↔ LMS", services="commerce lms")
def orders(scene: Scene) -> None:
    """
    Orders and refunds go to the LMS, and enrolments come back

    A refund that is requested three times is booked once. One of the events is delivered twice, and recorded once.
    """
    scene.do("commerce", f'buy("EDX-1", 41, "{SEAT}", amount_cents=9900)')
    scene.see("lms", "the order is booked", _booked, BOOKED[:1], for_now=True)
    scene.see("commerce", "the learner is enrolled", _enrollment, "verified", for_now=True)
    scene.do("commerce", 'refund("EDX-1")')
    scene.do("commerce", 'refund("EDX-1")')
    scene.do("commerce", 'send_refund_again("EDX-1")')
    scene.see("lms", "the journal has each event once", _journal, ["fulfilled", "refunded", "refunded", "refunded"])
    scene.see("lms", "the refund is booked, once", _booked, BOOKED)
    scene.see("lms", "the seat is free", lambda: Enrollment.objects.get(user_id=41).is_active, False)
    scene.see("commerce", "the enrolment has ended", _enrollment, "ended")


def _booked() -> list[tuple[str, int]]:
    bookings = Booking.objects.filter(order_number="EDX-1")
    return list(bookings.order_by("pk").values_list("status", "amount_cents"))


def _journal() -> list[str]:
    entries = JournalEntry.objects.filter(order_number="EDX-1")
    return list(entries.order_by("pk").values_list("status", flat=True))


def _enrollment() -> str:
    return Order.objects.get(order_number="EDX-1").enrollment


@row("5", "Licences → LMS, catalog, reporting", services="licences lms enterprise_catalog reporting")
def subscriptions(scene: Scene) -> None:
    """
    Subscriptions and licences are followed by three services

    Each service reads the topics in its own consumer group and gets every event. The LMS sends enrolments back.
    """
    scene.do("licences", f'sell_plan("Acme", "{CUSTOMER}", num_licenses=2)')
    for user_id in (51, 52):
        scene.do("licences", f'assign_license("Acme", {user_id})')
        scene.do("licences", f"activate_license({user_id})")
    scene.do("lms", f'enroll(51, "{COURSE}", mode="verified")')
    scene.do("licences", "revoke_license(52)")
    scene.do("licences", 'expire_plan("Acme")')
    scene.see("enterprise_catalog", "the subscription has expired", _is_active, [False], for_now=True)
    scene.do("licences", 'renew_plan("Acme")')
    scene.see("enterprise_catalog", "the subscription is active again", _is_active, [True])
    first = ["unassigned", "assigned", "activated"]
    both = [[*first, "expired", "activated"], [*first, "revoked"]]
    scene.see("enterprise_catalog", "both licences, each change in order", lambda: _statuses(Seat), both)
    scene.see("lms", "both licences, each change in order", lambda: _statuses(License), both)
    scene.see("reporting", "each event once", _facts, _FACTS)
    scene.see("licences", "the learner's enrolment", _licensed, [(51, True)])


_FACTS = Counter(
    {
        "subscription_plan.created": 1,
        "subscription_plan.expired": 1,
        "subscription_plan.renewed": 1,
        "license.created": 2,
        "license.assigned": 2,
        "license.activated": 2,
        "license.revoked": 1,
        "license.expired": 1,
        "license.renewed": 1,
    }
)


def _is_active() -> list[bool]:
    return list(Subscription.objects.filter(customer_uuid=CUSTOMER).values_list("is_active", flat=True))


def _statuses(model: Any) -> list[list[str]]:
    return sorted(model.objects.values_list("statuses", flat=True), key=len, reverse=True)


def _facts() -> Counter[str]:
    types = Fact.objects.filter(event_type__contains=".enterprise.").values_list("event_type", flat=True)
    return Counter(one.removeprefix("org.openedx.enterprise.").removesuffix(".v1") for one in types)


def _licensed() -> list[tuple[int, bool]]:
    return list(LicensedEnrollment.objects.filter(user_id=51).values_list("user_id", "is_active"))
