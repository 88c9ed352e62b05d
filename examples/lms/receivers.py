"""The receivers of the LMS, for events of other services."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.data import EventsMetadata

from event_bus_kafka import once
from examples.lms import api
from examples.lms.models import Booking, CatalogEntry, JournalEntry, License
from examples.platform_events.data import CourseRunData, LicenseData, OrderData
from examples.platform_events.signals import (
    COURSE_RUN_UPDATED,
    LICENSE_ACTIVATED,
    LICENSE_ASSIGNED,
    LICENSE_CREATED,
    LICENSE_EXPIRED,
    LICENSE_RENEWED,
    LICENSE_REVOKED,
    ORDER_FULFILLED,
    ORDER_REFUNDED,
)


@receiver([ORDER_FULFILLED, ORDER_REFUNDED])
@once
def write_journal(signal: Any, order: OrderData, **_: Any) -> None:
    """
    Add a row for each event. ``once`` skips an event that is delivered again, because the inbox mark of ``once``
    commits together with the row.
    """
    status = "fulfilled" if signal is ORDER_FULFILLED else "refunded"
    JournalEntry.objects.create(order_number=order.order_number, status=status)


@receiver(ORDER_FULFILLED)
@transaction.atomic
def enroll_buyer(order: OrderData, **_: Any) -> None:
    """Enrol the buyer of a paid order. The enrolment sends an event, which the shop receives."""
    if _book(order, "fulfilled", order.amount_cents):
        api.enroll(order.lms_user_id, str(order.course_key), order.mode)


@receiver(ORDER_REFUNDED)
@transaction.atomic
def unenroll_buyer(order: OrderData, **_: Any) -> None:
    """Unenrol the buyer of a refunded order."""
    if _book(order, "refunded", -order.amount_cents):
        api.unenroll(order.lms_user_id, str(order.course_key))


def _book(order: OrderData, status: str, amount_cents: int) -> bool:
    """
    Store a payment or refund; return False if it was stored before. A second click on "refund" sends another event,
    which ``once`` does not recognize as a duplicate.
    """
    _, created = Booking.objects.get_or_create(
        order_number=order.order_number, status=status, defaults={"amount_cents": amount_cents}
    )
    return created


@receiver([LICENSE_CREATED, LICENSE_ASSIGNED, LICENSE_ACTIVATED, LICENSE_REVOKED, LICENSE_EXPIRED, LICENSE_RENEWED])
@transaction.atomic
def keep_license(license: LicenseData, **_: Any) -> None:
    """
    Store a changed licence. An event may be delivered twice or late, so a change is ignored unless it is newer than the
    stored change.
    """
    known = License.objects.select_for_update().filter(uuid=license.uuid).first() or License(uuid=license.uuid)
    if known.changed_at and known.changed_at >= license.occurred_at:
        return
    known.statuses, known.changed_at = [*known.statuses, license.status], license.occurred_at
    known.save()


@receiver(COURSE_RUN_UPDATED)
@transaction.atomic
def update_catalog_entry(course_run: CourseRunData, metadata: EventsMetadata, **_: Any) -> None:
    """Store a change of the catalog. Ignore a change that is not newer than the stored one."""
    course_key = str(course_run.course_key)
    if CatalogEntry.objects.filter(course_key=course_key, changed_at__gte=metadata.time).exists():
        return
    values = {"title": course_run.title, "status": course_run.status, "changed_at": metadata.time}
    CatalogEntry.objects.update_or_create(course_key=course_key, defaults=values)
