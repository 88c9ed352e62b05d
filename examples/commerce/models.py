"""Orders, and the events about their changes."""

from __future__ import annotations

from django.db import models, transaction
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from examples.platform_events.data import OrderData
from examples.platform_events.signals import ORDER_FULFILLED, ORDER_REFUNDED


class Order(models.Model):
    """An order of a seat in a course run."""

    order_number = models.CharField(max_length=50, unique=True)
    user_id = models.BigIntegerField()
    course_key = models.CharField(max_length=255)
    amount_cents = models.PositiveIntegerField()
    status = models.CharField(max_length=20)
    enrollment = models.CharField(max_length=20, blank=True, help_text="state of the enrolment in the LMS")
    placed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.order_number

    @transaction.atomic
    def fulfil(self) -> None:
        """Mark the order as fulfilled and send its event, or do neither."""
        self.status = "fulfilled"
        self.save()
        ORDER_FULFILLED.send_event(order=self.as_data())

    @transaction.atomic
    def refund(self) -> None:
        """Mark the order as refunded and send its event, or do neither."""
        self.status = "refunded"
        self.save()
        ORDER_REFUNDED.send_event(order=self.as_data())

    def as_data(self) -> OrderData:
        return OrderData(
            order_number=self.order_number,
            lms_user_id=self.user_id,
            course_key=CourseKey.from_string(self.course_key),
            mode="verified",
            sku=f"seat-{self.course_key}",
            amount_cents=self.amount_cents,
            currency="USD",
            placed_at=self.placed_at,
        )


class Offer(models.Model):
    """A discount on a program, for a learner who shows interest in the program."""

    user_id = models.BigIntegerField()
    program_uuid = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "program_uuid"], name="one_offer_each")]

    def __str__(self) -> str:
        return f"offer {self.pk}"
