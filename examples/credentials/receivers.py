"""The receivers of Credentials, for events of the LMS and Discovery."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED

from event_bus_kafka import record_deleted
from examples.credentials.models import (
    CourseRun,
    CredentialChange,
    Program,
    ProgramInterest,
    UserCredential,
    UserGrade,
)
from examples.platform_events.data import CourseRunData, GradeData, ProgramData, ProgramIntentData
from examples.platform_events.signals import (
    COURSE_GRADE_UPDATED,
    COURSE_RUN_UPDATED,
    PROGRAM_INTENT_DETECTED,
    PROGRAM_UPDATED,
)


@receiver(CERTIFICATE_CREATED)
def award_credential(certificate: CertificateData, metadata: EventsMetadata, **_: Any) -> None:
    """Award the credential for a certificate."""
    _set_status("awarded", certificate, metadata)


@receiver(CERTIFICATE_REVOKED)
def revoke_credential(certificate: CertificateData, metadata: EventsMetadata, **_: Any) -> None:
    """Revoke the credential for a certificate."""
    _set_status("revoked", certificate, metadata)


@transaction.atomic  # credential and history change together; if one fails, a retry changes both
def _set_status(status: str, certificate: CertificateData, metadata: EventsMetadata) -> None:
    """
    Set a credential's status. An event may be delivered twice or late. Therefore an event is ignored unless the time of
    its change is newer than the stored time.
    """
    whose = {"username": certificate.user.pii.username, "course_key": str(certificate.course.course_key)}
    known = UserCredential.objects.select_for_update().filter(**whose).first()
    if known and known.changed_at >= metadata.time:
        return
    UserCredential.objects.update_or_create(**whose, defaults={"status": status, "changed_at": metadata.time})
    CredentialChange.objects.create(**whose, status=status)


@receiver(COURSE_GRADE_UPDATED)
@transaction.atomic
def keep_grade(grade: GradeData, metadata: EventsMetadata, **_: Any) -> None:
    """
    Store a changed grade, whether or not the learner has passed. Ignore a change that is not newer than the stored one.
    """
    whose = {"user_id": grade.user_id, "course_key": str(grade.course.course_key)}
    if UserGrade.objects.filter(**whose, changed_at__gte=metadata.time).exists():
        return
    values = {"percent": grade.percent_grade, "letter": grade.letter_grade, "passed_at": grade.passed_timestamp}
    UserGrade.objects.update_or_create(**whose, defaults=values | {"changed_at": metadata.time})


@receiver(COURSE_RUN_UPDATED)
@transaction.atomic
def keep_course_run(course_run: CourseRunData, metadata: EventsMetadata, **_: Any) -> None:
    """Store a changed course run of the catalog. Ignore a change that is not newer than the stored one."""
    course_key = str(course_run.course_key)
    if CourseRun.objects.filter(course_key=course_key, changed_at__gte=metadata.time).exists():
        return
    values = {"title": course_run.title, "changed_at": metadata.time}
    CourseRun.objects.update_or_create(course_key=course_key, defaults=values)


@receiver(PROGRAM_UPDATED)
@transaction.atomic
def keep_program(program: ProgramData, metadata: EventsMetadata, **_: Any) -> None:
    """Store a changed program of the catalog. Ignore a change that is not newer than the stored one."""
    if Program.objects.filter(uuid=program.uuid, changed_at__gte=metadata.time).exists():
        return
    values = {"title": program.title, "course_run_keys": program.course_run_keys, "changed_at": metadata.time}
    Program.objects.update_or_create(uuid=program.uuid, defaults=values)


@receiver(record_deleted)
def forget_program(topic: str, key: Any, **_: Any) -> None:
    """Delete the program that a tombstone names. The topic tells whether the deleted object was a program."""
    if topic == "catalog-program-lifecycle":
        Program.objects.filter(uuid=key).delete()


@receiver(PROGRAM_INTENT_DETECTED)
def note_interest(intent: ProgramIntentData, **_: Any) -> None:
    """Store that a learner wants a program. There is only one row, even if the event is delivered repeatedly."""
    ProgramInterest.objects.get_or_create(user_id=intent.user.id, program_uuid=intent.program_uuid)
