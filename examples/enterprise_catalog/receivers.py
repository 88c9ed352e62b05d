"""The receivers of the enterprise catalog, for events of the licence manager."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from examples.enterprise_catalog.events import LICENSE_EVENTS, PLAN_EVENTS, LicenseData, SubscriptionPlanData
from examples.enterprise_catalog.models import Seat, Subscription


@receiver(PLAN_EVENTS)
def keep_subscription(subscription_plan: SubscriptionPlanData, **_: Any) -> None:
    """Store a changed plan. The events of a plan come in order. A duplicate of the latest event changes nothing."""
    Subscription.objects.update_or_create(
        plan_uuid=subscription_plan.uuid,
        defaults={
            "customer_uuid": subscription_plan.enterprise_customer_uuid,
            "is_active": subscription_plan.is_active,
        },
    )


@receiver(LICENSE_EVENTS)
def keep_seat(license: LicenseData, **_: Any) -> None:
    """Add a licence's new status to its earlier statuses. A duplicate of the latest event changes nothing."""
    seat, _created = Seat.objects.get_or_create(
        license_uuid=license.uuid, defaults={"customer_uuid": license.enterprise_customer_uuid}
    )
    if seat.statuses[-1:] != [license.status]:
        seat.statuses.append(license.status)
        seat.save()
