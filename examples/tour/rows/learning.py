"""Rows about learners: certificates, grades, exams, programs."""

from __future__ import annotations

from event_bus_kafka.models import DeadLetter
from examples.commerce.models import Offer
from examples.credentials.models import CredentialChange, ProgramInterest, UserGrade
from examples.exams.models import CourseStaff
from examples.lms.models import Certificate, ExamConsequence
from examples.tour.scene import Scene, row

COURSE, OTHER = "course-v1:edX+Demo+2026", "course-v1:edX+Other+2026"
EXAM, OTHER_EXAM = "course-v1:edX+Exam+2026", "course-v1:edX+OtherExam+2026"
CREDIT_EXAM = "course-v1:edX+CreditExam+2026"
_CREDIT = "examples.lms.exams.change_credit"
PROGRAM = "0d9e3a1b-7c1e-4f52-8a39-54c2a8a1d7f0"


@row("3a", "LMS → Credentials", services="lms credentials")
def certificates(scene: Scene) -> None:
    """
    Certificates are awarded and revoked, in order per course

    A certificate whose transaction is rolled back must not arrive.
    """
    scene.do("lms", f'fail_to_award_certificate(31, "{COURSE}")')
    scene.do("lms", f'award_certificate(31, "{COURSE}")')
    scene.do("lms", f'revoke_certificate(31, "{COURSE}")')
    scene.do("lms", f'award_certificate(31, "{COURSE}")')
    scene.do("lms", f'award_certificate(32, "{OTHER}")')
    scene.see("credentials", "awarded, revoked, awarded", lambda: _credentials(31), ["awarded", "revoked", "awarded"])
    scene.see("credentials", "awarded", lambda: _credentials(32), ["awarded"])


@row("3b", "LMS → Credentials", services="lms credentials")
def grades(scene: Scene) -> None:
    """
    Grades travel, also of learners who have not passed yet
    """
    scene.do("lms", f'grade(33, "{COURSE}", 0.25)')
    scene.see("credentials", "25 %, not passed: without a date", lambda: _grades(33), [(0.25, False)], for_now=True)
    scene.do("lms", f'grade(33, "{COURSE}", 0.75)')
    scene.do("lms", f'grade(34, "{COURSE}", 0.0)')
    scene.see("credentials", "75 %, passed", lambda: _grades(33), [(0.75, True)])
    scene.see("credentials", "0 %, which is not the same as no grade", lambda: _grades(34), [(0.0, False)])


@row("6", "Exams ↔ LMS", services="lms exams credentials")
def exam_attempts(scene: Scene) -> None:
    """
    Exams change grades, completion, certificates and credit

    While certificates cannot be changed, only the receiver for certificates is retried. The LMS tells the exams service
    who belongs to the course staff. While credit is broken, events become dead letters for its receiver. When credit is
    mended, the worker replays the dead letters on request.
    """
    scene.do("lms", f'give_role(60, "{EXAM}", "instructor")')
    scene.see("exams", "a reviewer", lambda: _staff(60), ["instructor"], for_now=True)
    scene.do("lms", f'award_certificate(61, "{EXAM}")')
    scene.do("exams", f'submit_attempt(61, "{EXAM}")')
    scene.do("lms", 'begin_maintenance("certificates")')
    scene.do("exams", f'reject_attempt(61, "{EXAM}")')
    scene.see("lms", "no points for the exam", lambda: _changes("grade", 61), ["zero"], for_now=True)
    scene.see("lms", "no credit", lambda: _changes("credit", 61), ["submitted", "failed"], for_now=True)
    worker = scene.stage.workers["lms"]
    scene.see("lms", "certificates were tried twice", lambda: "rejected.v1, attempt=2)" in worker.log, True)
    scene.see("lms", "grades were changed once", lambda: worker.log.count("Changing the grade"), 1, for_now=True)
    scene.see("lms", "the certificate is as it was", lambda: _certificate(61), "downloadable", for_now=True)
    scene.do("exams", f'verify_attempt(61, "{EXAM}")')
    scene.do("exams", f'submit_attempt(62, "{OTHER_EXAM}")')
    scene.see("lms", "an attempt in another course", lambda: _changes("completion", 62), ["complete"], for_now=True)
    scene.do("lms", 'end_maintenance("certificates")')
    scene.see("lms", "certificate: revoked, then awarded", lambda: _changes("certificate", 61), ["revoked", "awarded"])
    scene.see("lms", "grade: zero, then restored; each once", lambda: _changes("grade", 61), ["zero", "restored"])
    scene.see("lms", "credit, each once", lambda: _changes("credit", 61), ["submitted", "failed", "satisfied"])
    scene.see("credentials", "as the LMS", lambda: _credentials(61), ["awarded", "revoked", "awarded"])
    scene.do("exams", f'report_error(62, "{OTHER_EXAM}")')
    scene.do("exams", f'reset_attempt(62, "{OTHER_EXAM}")')
    scene.see("lms", "the other: not complete", lambda: _changes("completion", 62), ["complete", "cleared"])
    scene.see("lms", "the other: no credit", lambda: _changes("credit", 62), ["submitted", "failed", "removed"])
    scene.do("lms", f'take_role(60, "{EXAM}", "instructor")')
    scene.see("exams", "no reviewer", lambda: _staff(60), [])
    scene.do("lms", 'begin_maintenance("credit")')
    scene.do("exams", f'submit_attempt(63, "{CREDIT_EXAM}")')
    scene.do("exams", f'verify_attempt(63, "{CREDIT_EXAM}")')
    scene.see("lms", "dead letters of both, for credit alone", _letters, [[_CREDIT]] * 2, for_now=True)
    scene.see("lms", "the grade counts, without credit", lambda: _exam_of(63), [["restored"], []], for_now=True)
    scene.do("lms", 'end_maintenance("credit")')
    scene.manage("lms", "event_dead_letters replay --all --request --reason 'Credit is mended' --apply")
    scene.see("lms", "credit, in order", lambda: _changes("credit", 63), ["submitted", "satisfied"])
    scene.see("lms", "no dead letters", _letters, [])


@row("7", "LMS → Credentials, Commerce", services="lms credentials commerce")
def program_intent(scene: Scene) -> None:
    """A learner shows intent for a program: several services react"""
    scene.do("lms", f'visit_program_page(71, "{PROGRAM}")')
    scene.see("credentials", "the learner's interest", lambda: ProgramInterest.objects.filter(user_id=71).count(), 1)
    scene.see("commerce", "an offer", lambda: Offer.objects.filter(user_id=71).count(), 1)


def _credentials(user_id: int) -> list[str]:
    changes = CredentialChange.objects.filter(username=f"learner{user_id}")
    return list(changes.order_by("pk").values_list("status", flat=True))


def _grades(user_id: int) -> list[tuple[float, bool]]:
    return [(one.percent, one.passed_at is not None) for one in UserGrade.objects.filter(user_id=user_id)]


def _staff(user_id: int) -> list[str]:
    return list(CourseStaff.objects.filter(user_id=user_id).values_list("role", flat=True))


def _changes(what: str, user_id: int) -> list[str]:
    changes = ExamConsequence.objects.filter(what=what, user_id=user_id)
    return list(changes.order_by("pk").values_list("change", flat=True))


def _exam_of(user_id: int) -> list[list[str]]:
    return [_changes(what, user_id) for what in ("grade", "credit")]


def _letters() -> list[list[str]]:
    rows = DeadLetter.objects.using("lms").order_by("pk")
    return [one.failed_receivers for one in rows]


def _certificate(user_id: int) -> str:
    return Certificate.objects.get(user_id=user_id, course_key=EXAM).status
