"""The actions of an enterprise customer's administrators."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from examples.licences.models import License, SubscriptionPlan
from examples.platform_events.signals import (
    LICENSE_ACTIVATED,
    LICENSE_ASSIGNED,
    LICENSE_CREATED,
    LICENSE_EXPIRED,
    LICENSE_RENEWED,
    LICENSE_REVOKED,
    SUBSCRIPTION_PLAN_CREATED,
    SUBSCRIPTION_PLAN_EXPIRED,
    SUBSCRIPTION_PLAN_RENEWED,
)

_YEAR = timedelta(days=365)


@transaction.atomic
def sell_plan(title: str, customer_uuid: str, num_licenses: int) -> None:
    """Create a plan with all its licences, in one transaction."""
    now = timezone.now()
    plan = SubscriptionPlan(
        title=title,
        customer_uuid=UUID(customer_uuid),
        num_licenses=num_licenses,
        start_date=now,
        expiration_date=now + _YEAR,
    )
    plan.announce(SUBSCRIPTION_PLAN_CREATED)
    for _ in range(num_licenses):
        License(plan=plan).become("unassigned", LICENSE_CREATED)


def assign_license(title: str, user_id: int) -> None:
    seat = License.objects.filter(plan__title=title, status="unassigned").earliest("pk")
    seat.user_id, seat.user_email = user_id, f"learner{user_id}@example.com"
    seat.become("assigned", LICENSE_ASSIGNED)


def activate_license(user_id: int) -> None:
    License.objects.get(user_id=user_id).become("activated", LICENSE_ACTIVATED)


def revoke_license(user_id: int) -> None:
    License.objects.get(user_id=user_id).become("revoked", LICENSE_REVOKED)


@transaction.atomic
def expire_plan(title: str) -> None:
    plan = SubscriptionPlan.objects.get(title=title)
    plan.is_active = False
    plan.announce(SUBSCRIPTION_PLAN_EXPIRED)
    for seat in License.objects.filter(plan=plan, status="activated"):
        seat.become("expired", LICENSE_EXPIRED)


@transaction.atomic
def renew_plan(title: str) -> None:
    plan = SubscriptionPlan.objects.get(title=title)
    plan.is_active, plan.expiration_date = True, plan.expiration_date + _YEAR
    plan.announce(SUBSCRIPTION_PLAN_RENEWED)
    for seat in License.objects.filter(plan=plan, status="expired"):
        seat.become("activated", LICENSE_RENEWED)
