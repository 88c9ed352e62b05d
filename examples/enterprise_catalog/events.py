"""
The events that the enterprise catalog reads, with the fields that it uses.

Other services install ``examples.platform_events`` instead. This service declares the events itself, like a service
that has an older release of ``examples.platform_events``. This works because fields are matched by name, and fields
that a class does not have are ignored. Services with old and new classes can read the same topic at the same time.
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
