"""What Credentials does with events of the LMS."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED

from examples.credentials.models import CredentialChange, UserCredential


@receiver(CERTIFICATE_CREATED)
def award_credential(certificate: CertificateData, metadata: EventsMetadata, **_: Any) -> None:
    """A certificate was awarded."""
    _set_status("awarded", certificate, metadata)


@receiver(CERTIFICATE_REVOKED)
def revoke_credential(certificate: CertificateData, metadata: EventsMetadata, **_: Any) -> None:
    """A certificate was taken away."""
    _set_status("revoked", certificate, metadata)


@transaction.atomic
def _set_status(change: str, certificate: CertificateData, metadata: EventsMetadata) -> None:
    course_key = str(certificate.course.course_key)
    UserCredential.objects.update_or_create(
        username=certificate.user.pii.username, course_key=course_key, defaults={"status": change}
    )
    CredentialChange.objects.create(
        event_id=metadata.id,
        change=change,
        course_key=course_key,
        user_id=certificate.user.id,
        username=certificate.user.pii.username,
        grade=certificate.grade,
        status=certificate.current_status,
        received_at=time.time(),
    )
