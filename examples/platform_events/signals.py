"""
The signals of the events. A signal has an event type, and a class for each argument.

An event type is named ``org.openedx.{subdomain}.{subject}.{action}.v{major version}``. Receivers get the arguments by
the names given here.
"""

from __future__ import annotations

from openedx_events.tooling import OpenEdxPublicSignal

from examples.platform_events.data import (
    CourseRunData,
    GradeData,
    LicenseData,
    OrderData,
    ProgramData,
    ProgramIntentData,
    SubscriptionPlanData,
)

COURSE_RUN_UPDATED = OpenEdxPublicSignal("org.openedx.catalog.course_run.updated.v1", {"course_run": CourseRunData})
PROGRAM_UPDATED = OpenEdxPublicSignal("org.openedx.catalog.program.updated.v1", {"program": ProgramData})

COURSE_GRADE_UPDATED = OpenEdxPublicSignal("org.openedx.learning.course.grade.updated.v1", {"grade": GradeData})
PROGRAM_INTENT_DETECTED = OpenEdxPublicSignal(
    "org.openedx.learning.program.intent.detected.v1", {"intent": ProgramIntentData}
)

ORDER_FULFILLED = OpenEdxPublicSignal("org.openedx.commerce.order.fulfilled.v1", {"order": OrderData})
ORDER_REFUNDED = OpenEdxPublicSignal("org.openedx.commerce.order.refunded.v1", {"order": OrderData})


def _of_plans(action: str) -> OpenEdxPublicSignal:
    return OpenEdxPublicSignal(
        f"org.openedx.enterprise.subscription_plan.{action}.v1", {"subscription_plan": SubscriptionPlanData}
    )


def _of_licenses(action: str) -> OpenEdxPublicSignal:
    return OpenEdxPublicSignal(f"org.openedx.enterprise.license.{action}.v1", {"license": LicenseData})


SUBSCRIPTION_PLAN_CREATED = _of_plans("created")
SUBSCRIPTION_PLAN_EXPIRED = _of_plans("expired")
SUBSCRIPTION_PLAN_RENEWED = _of_plans("renewed")

LICENSE_CREATED = _of_licenses("created")
LICENSE_ASSIGNED = _of_licenses("assigned")
LICENSE_ACTIVATED = _of_licenses("activated")
LICENSE_REVOKED = _of_licenses("revoked")
LICENSE_EXPIRED = _of_licenses("expired")
LICENSE_RENEWED = _of_licenses("renewed")
