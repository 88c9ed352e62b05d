"""The enterprise catalog's data about subscriptions."""

from __future__ import annotations

from django.db import models


class Subscription(models.Model):
    """A row that says whether a customer's plan gives access to the customer's catalog."""

    plan_uuid = models.UUIDField(unique=True)
    customer_uuid = models.UUIDField()
    is_active = models.BooleanField()

    def __str__(self) -> str:
        return f"subscription {self.pk}"


class Seat(models.Model):
    """A licence and all its statuses, the latest last."""

    license_uuid = models.UUIDField(unique=True)
    customer_uuid = models.UUIDField()
    statuses = models.JSONField(default=list, help_text="all its states, in order")

    def __str__(self) -> str:
        return f"seat {self.pk}"
