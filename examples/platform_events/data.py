"""
The data classes of the events.

Do not add ``from __future__ import annotations`` here: the codec needs annotations that are classes. ``default=None``
makes a field optional. Each field that is added later needs ``default=None``, so that services with the older class
still work (see "Changing an event" in the documentation).
"""

from datetime import datetime
from uuid import UUID

import attrs
from opaque_keys.edx.keys import CourseKey
from openedx_events.learning.data import CourseData, UserData


@attrs.frozen(kw_only=True)
class CourseRunData:
    """A course run of the catalog."""

    uuid: UUID
    course_key: CourseKey
    course_uuid: UUID
    title: str
    status: str
    run_type: str
    org_keys: list[str]
    modified: datetime
    start: datetime = None  # type: ignore[assignment]
    end: datetime = None  # type: ignore[assignment]


@attrs.frozen(kw_only=True)
class ProgramData:
    """A program of the catalog, with its course runs."""

    uuid: UUID
    title: str
    type_slug: str
    status: str
    partner: str
    course_run_keys: list[str]
    modified: datetime


@attrs.frozen(kw_only=True)
class GradeData:
    """A learner's grade in a course. Without ``passed_timestamp`` the learner has not passed yet."""

    user_id: int
    course: CourseData
    percent_grade: float
    letter_grade: str
    course_version: str
    grading_policy_hash: str
    course_edited_timestamp: datetime
    passed_timestamp: datetime = None  # type: ignore[assignment]


@attrs.frozen(kw_only=True)
class OrderData:
    """An order of a course run."""

    order_number: str
    lms_user_id: int
    course_key: CourseKey
    mode: str
    sku: str
    amount_cents: int
    currency: str
    placed_at: datetime


@attrs.frozen(kw_only=True)
class SubscriptionPlanData:
    """An enterprise customer's subscription."""

    uuid: UUID
    enterprise_customer_uuid: UUID
    title: str
    start_date: datetime
    expiration_date: datetime
    num_licenses: int
    is_active: bool


@attrs.frozen(kw_only=True)
class LicenseData:
    """One seat of a subscription plan."""

    uuid: UUID
    subscription_plan_uuid: UUID
    enterprise_customer_uuid: UUID
    user_email: str
    status: str
    previous_status: str
    occurred_at: datetime
    lms_user_id: int = None  # type: ignore[assignment]


@attrs.frozen(kw_only=True)
class ProgramIntentData:
    """A learner who showed interest in a program."""

    user: UserData
    program_uuid: UUID
    action: str
    source: str
    occurred_at: datetime
    course_key: CourseKey = None  # type: ignore[assignment]
