"""Rows about course runs and programs. Studio and publishers edit them, and all services need them."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from django.db.models import F

from examples.cms.models import CatalogEntry as CmsEntry
from examples.credentials.models import CourseRun as CredentialsRun
from examples.credentials.models import Program as CredentialsProgram
from examples.discovery.models import CourseRun, CourseRunChange, Program
from examples.licences.models import CatalogEntry as LicencesEntry
from examples.lms.models import CatalogEntry as LmsEntry
from examples.site_cache.models import Page
from examples.tour.scene import Scene, row

RUN, LONG = "course-v1:edX+Catalog1+2026", "course-v1:edX+Catalog2+2026"
PUBLISHED, LISTED = "course-v1:edX+Catalog3+2026", "course-v1:edX+Catalog4+2026"
CACHED, OLD_RUNS = "course-v1:edX+Catalog5+2026", 40
KEPT, DELETED = "11d9a9f0-5c1f-4d9a-9a3a-0b6a7a2f5a01", "22d9a9f0-5c1f-4d9a-9a3a-0b6a7a2f5a02"
PROGRAM = "6c1a2f4e-0b5a-4f6e-9a53-2c1d8f1f0a11"


@row("1", "CMS → Discovery", services="cms discovery")
def edited_in_studio(scene: Scene) -> None:
    """
    A course run edited in Studio is in the catalog at once

    A change that is rolled back must not arrive. Discovery may take long to index a course; other courses do not wait.
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
    scene.see("discovery", "a fourth change of the first course", lambda: len(_history(RUN)), 4)
    scene.see("discovery", "the first course is indexed", lambda: _is_indexed(RUN), True)
    scene.see("discovery", "the course that takes long is not", lambda: _is_indexed(LONG), False, for_now=True)
    scene.do("discovery", f'end_reindexing("{LONG}")')
    scene.see("discovery", "the course that takes long is indexed", lambda: _is_indexed(LONG), True)


def _history(course_key: str) -> list[tuple[str, bool]]:
    return list(CourseRunChange.objects.filter(course_key=course_key).order_by("pk").values_list("title", "hidden"))


def _is_indexed(course_key: str) -> bool:
    """Return whether Discovery has updated the search index after the last change of the course run."""
    return CourseRun.objects.filter(course_key=course_key, indexed_at__gt=F("edited_at")).exists()


@row("2", "Discovery → Credentials", services="cms discovery credentials")
def catalog_in_credentials(scene: Scene) -> None:
    """
    Credentials has course data without copying the catalog

    After a change in Studio, a receiver changes the catalog and sends another event. Events from receivers are sent as
    reliably as events from requests.
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


@row("8a", "CMS → Discovery", services="cms discovery")
def backfill(scene: Scene) -> None:
    """
    A backfill and live events replace the nightly refresh

    A backfill prints its progress, keeps to a rate, and continues where it was interrupted.
    """
    scene.do("cms", f"import_course_runs({OLD_RUNS})")
    scene.say("These course runs sent no events. A backfill sends half of them, then a second one the rest.")
    told = scene.manage("cms", f"backfill_events cms.course_runs --rate 100 --limit {OLD_RUNS // 2} --apply")
    *_, token = re.findall(r"--resume \S+", told)
    scene.manage("cms", f"backfill_events cms.course_runs --rate 100 {token} --apply")
    scene.see("discovery", "all course runs", _changes_of_old_runs, OLD_RUNS, for_now=True)
    scene.do("cms", 'edit_course_run("course-v1:edX+Old1+2020", name="Course 1, anew")')
    scene.see("discovery", "a change sent live; all other course runs once", _changes_of_old_runs, OLD_RUNS + 1)


@row("8b", "Discovery → site cache", services="cms discovery site_cache credentials")
def site_cache(scene: Scene) -> None:
    """
    A cache is kept current, and rebuilt from the topics

    A deleted program has a tombstone in the topic, so a rebuild does not write its page again.
    """
    scene.do("cms", f'create_course_run("{CACHED}", "Logic")')
    scene.do("discovery", f'save_program("{KEPT}", "Philosophy", ["{CACHED}"])')
    scene.do("discovery", f'save_program("{DELETED}", "Alchemy", [])')
    scene.see("site_cache", "three pages", lambda: len(_pages(CACHED, KEPT, DELETED)), 3, for_now=True)
    scene.do("discovery", f'delete_program("{DELETED}")')
    others = {CACHED: "Logic", KEPT: "Philosophy"}
    scene.see("site_cache", "the program's page is deleted", lambda: _pages(CACHED, KEPT, DELETED), others)
    scene.see("credentials", "the program is deleted", lambda: _titles(CredentialsProgram, uuid=DELETED), [])
    scene.do("site_cache", "empty_cache()")
    scene.manage("site_cache", "replay_events -t catalog-course-run-lifecycle --from earliest --apply")
    scene.manage("site_cache", "replay_events -t catalog-program-lifecycle --from earliest --apply")
    scene.see("site_cache", "a page for all that the catalog has", _all_pages_are_right, True)


def _changes_of_old_runs() -> int:
    return CourseRunChange.objects.filter(course_key__contains="+Old").count()


def _pages(*keys: str) -> dict[str, str]:
    return dict(Page.objects.filter(key__in=keys).values_list("key", "title"))


def _all_pages_are_right() -> bool:
    """
    Return whether the site cache has a page with the right title for each course run and program of the catalog, and no
    other page.
    """
    programs = {str(uuid): title for uuid, title in Program.objects.values_list("uuid", "title")}
    runs = dict(CourseRun.objects.values_list("course_key", "title"))
    return dict(Page.objects.values_list("key", "title")) == runs | programs


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
