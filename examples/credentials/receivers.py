"""What Credentials does with events of the LMS."""

from __future__ import annotations

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


@transaction.atomic  # the credential and its history change together; if one fails, the event comes again for both
def _set_status(change: str, certificate: CertificateData, metadata: EventsMetadata) -> None:
    """An event may come twice, and an old one after a newer: the time of the change tells, and they leave no trace."""
    username, course_key = certificate.user.pii.username, str(certificate.course.course_key)
    known = UserCredential.objects.select_for_update().filter(username=username, course_key=course_key).first()
    if known and known.changed_at >= metadata.time:
        return
    UserCredential.objects.update_or_create(
        username=username, course_key=course_key, defaults={"status": change, "changed_at": metadata.time}
    )
    CredentialChange.objects.create(
        change=change,
        course_key=course_key,
        user_id=certificate.user.id,
        username=username,
        grade=certificate.grade,
        status=certificate.current_status,
        changed_at=metadata.time,
    )
