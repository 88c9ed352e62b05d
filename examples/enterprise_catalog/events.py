"""
The events that the enterprise catalog reads, with the fields that it uses.

It could install ``examples.platform_events``, as others do. Declaring them anew shows what a service on an older
release of that package is like: fields are bound by name, and what a class does not know is left out. Services on old
and new classes read the same topic at once.
"""

from uuid import UUID

import attrs
from openedx_events.tooling import OpenEdxPublicSignal


@attrs.frozen(kw_only=True)
class SubscriptionPlanData:
    uuid: UUID
    enterprise_customer_uuid: UUID
    is_active: bool


@attrs.frozen(kw_only=True)
class LicenseData:
    uuid: UUID
    enterprise_customer_uuid: UUID
    status: str


PLAN_EVENTS = [
    OpenEdxPublicSignal(
        f"org.openedx.enterprise.subscription_plan.{action}.v1", {"subscription_plan": SubscriptionPlanData}
    )
    for action in ("created", "expired", "renewed")
]
LICENSE_EVENTS = [
    OpenEdxPublicSignal(f"org.openedx.enterprise.license.{action}.v1", {"license": LicenseData})
    for action in ("created", "assigned", "activated", "revoked", "expired", "renewed")
]
