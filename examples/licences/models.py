"""Subscription plans and licences, and the events about their changes."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.db import models, transaction
from django.utils import timezone
from openedx_events.tooling import OpenEdxPublicSignal

from examples.platform_events.data import LicenseData, SubscriptionPlanData


class SubscriptionPlan(models.Model):
    """A plan that an enterprise customer has bought."""

    uuid = models.UUIDField(default=uuid4, unique=True)
    customer_uuid = models.UUIDField()
    title = models.CharField(max_length=255)
    start_date = models.DateTimeField()
    expiration_date = models.DateTimeField()
    num_licenses = models.PositiveIntegerField()
    is_active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.title

    @transaction.atomic
    def announce(self, signal: OpenEdxPublicSignal) -> None:
        """Save the plan and send the event ``signal``, or do neither."""
        self.save()
        data = SubscriptionPlanData(
            uuid=self.uuid,
            enterprise_customer_uuid=self.customer_uuid,
            title=self.title,
            start_date=self.start_date,
            expiration_date=self.expiration_date,
            num_licenses=self.num_licenses,
            is_active=self.is_active,
        )
        signal.send_event(subscription_plan=data)


class License(models.Model):
    """One seat of a plan."""

    uuid = models.UUIDField(default=uuid4, unique=True)
    plan = models.ForeignKey(SubscriptionPlan, models.CASCADE)
    user_email = models.EmailField(blank=True)
    user_id = models.BigIntegerField(null=True)
    status = models.CharField(max_length=20, default="unassigned")

    def __str__(self) -> str:
        return f"license {self.pk}"

    @transaction.atomic
    def become(self, status: str, signal: OpenEdxPublicSignal) -> None:
        """Change the licence's status and send the event, or do neither."""
        previous, self.status, now = self.status, status, timezone.now()
        self.save()
        data = LicenseData(
            uuid=UUID(str(self.uuid)),
            subscription_plan_uuid=self.plan.uuid,
            enterprise_customer_uuid=self.plan.customer_uuid,
            user_email=self.user_email,
            status=status,
            previous_status=previous,
            occurred_at=now,
            lms_user_id=self.user_id,
        )
        signal.send_event(time=now, license=data)


class LicensedEnrollment(models.Model):
    """An enrolment of a learner with a licence, according to the LMS."""

    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    is_active = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "course_key"], name="one_licensed_enrollment_each")]

    def __str__(self) -> str:
        return f"enrollment {self.pk}"


class CatalogEntry(models.Model):
    """The catalog's data about a course run, kept so that this service sends no requests to Discovery."""

    course_key = models.CharField(max_length=255, unique=True)
    title = models.CharField(max_length=255)
    status = models.CharField(max_length=20)
    changed_at = models.DateTimeField(help_text="when Discovery changed it; older events are ignored")

    def __str__(self) -> str:
        return self.course_key
