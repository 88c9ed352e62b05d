"""Rows about course runs and programs, which Studio and publishers edit and everyone shows."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import F

from examples.cms.models import CatalogEntry as CmsEntry
from examples.credentials.models import CourseRun as CredentialsRun
from examples.credentials.models import Program as CredentialsProgram
from examples.discovery.models import CourseRun, CourseRunChange
from examples.licences.models import CatalogEntry as LicencesEntry
from examples.lms.models import CatalogEntry as LmsEntry
from examples.tour.scene import Scene, row

RUN, LONG = "course-v1:edX+Catalog1+2026", "course-v1:edX+Catalog2+2026"
PUBLISHED, LISTED = "course-v1:edX+Catalog3+2026", "course-v1:edX+Catalog4+2026"
PROGRAM = "6c1a2f4e-0b5a-4f6e-9a53-2c1d8f1f0a11"


@row("1", "CMS → Discovery", services="cms discovery")
def edited_in_studio(scene: Scene) -> None:
    """
    A course run edited in Studio is in the catalog at once

    What is rolled back must not arrive. Discovery may take long over one course; others need not wait.
    """
    scene.do("cms", f'create_course_run("{RUN}", "Büchner")')
    scene.do("cms", f'fail_to_edit_course_run("{RUN}", name="A name that was never saved")')
    scene.do("cms", f'edit_course_run("{RUN}", name="Büchner für Anfänger")')
    scene.do("cms", f'edit_course_run("{RUN}", hidden=True)')
    scene.see(
        "discovery",
        "three changes in order, nothing of the one that was rolled back",
        lambda: _history(RUN),
        [("Büchner", False), ("Büchner für Anfänger", False), ("Büchner für Anfänger", True)],
        for_now=True,
    )
    scene.do("discovery", f'begin_reindexing("{LONG}")')
    scene.do("cms", f'create_course_run("{LONG}", "A course that takes long")')
    scene.see("discovery", "the course that takes long has come", lambda: len(_history(LONG)), 1)
    scene.do("cms", f'edit_course_run("{RUN}", hidden=False)')
    scene.see("discovery", "a fourth change, of the other one", lambda: len(_history(RUN)), 4)
    scene.see("discovery", "which is done with", lambda: _is_indexed(RUN), True)
    scene.see("discovery", "the one that takes long is not", lambda: _is_indexed(LONG), False, for_now=True)
    scene.do("discovery", f'end_reindexing("{LONG}")')
    scene.see("discovery", "now it is", lambda: _is_indexed(LONG), True)


def _history(course_key: str) -> list[tuple[str, bool]]:
    return list(CourseRunChange.objects.filter(course_key=course_key).order_by("pk").values_list("title", "hidden"))


def _is_indexed(course_key: str) -> bool:
    """Whether what is indexed is newer than the last change."""
    return CourseRun.objects.filter(course_key=course_key, indexed_at__gt=F("edited_at")).exists()


@row("2", "Discovery → Credentials", services="cms discovery credentials")
def catalog_in_credentials(scene: Scene) -> None:
    """
    Credentials knows what it prints without copying the catalog

    Studio's change makes one of the catalog: what a receiver emits leaves as reliably as what a request does.
    """
    scene.do("cms", f'create_course_run("{LISTED}", "Statistics")')
    scene.see("credentials", "the course run", lambda: _titles(CredentialsRun, course_key=LISTED), ["Statistics"])
    scene.do("discovery", f'save_program("{PROGRAM}", "Data Science", ["{LISTED}"])')
    scene.see(
        "credentials", "the program", lambda: _titles(CredentialsProgram, uuid=PROGRAM), ["Data Science"], for_now=True
    )
    scene.do("discovery", f'save_program("{PROGRAM}", "Data Science for all", ["{LISTED}"])')
    scene.see(
        "credentials", "its new title", lambda: _titles(CredentialsProgram, uuid=PROGRAM), ["Data Science for all"]
    )


@row("8c", "Discovery → LMS, CMS, Licences", services="cms discovery lms licences")
def publisher_changes(scene: Scene) -> None:
    """
    A publisher's change reaches all who used to ask for it
    """
    scene.do("cms", f'create_course_run("{PUBLISHED}", "Algebra")')
    scene.see("discovery", "the course run", lambda: CourseRun.objects.filter(course_key=PUBLISHED).count(), 1)
    scene.do("discovery", f'publish_course_run("{PUBLISHED}")')
    for service, model in (("lms", LmsEntry), ("cms", CmsEntry), ("licences", LicencesEntry)):
        scene.see(
            service,
            "it is published",
            partial(_statuses, model),
            ["published"],
        )


def _statuses(model: Any) -> list[str]:
    return list(model.objects.filter(course_key=PUBLISHED).values_list("status", flat=True))


def _titles(model: Any, **which: str) -> list[str]:
    return list(model.objects.filter(**which).values_list("title", flat=True))
