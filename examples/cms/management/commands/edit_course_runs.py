"""``edit_course_runs``: edit course runs, as their authors would, and say what was done."""

from __future__ import annotations

import json
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from examples.cms.models import CourseRun


class EditingFailed(Exception):
    """Something went wrong in the middle of a transaction."""


class Command(BaseCommand):
    help = "Create, rename, reschedule and hide course runs, and print a line of JSON for each committed change."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--courses", type=int, default=3, help="number of course runs (default: 3)")

    def handle(self, *args: Any, **options: Any) -> None:
        runs = [self.run(f"course-v1:edX+Demo{number}+2026") for number in range(1, options["courses"] + 1)]
        for edit in (self.create, self.rename, self.reschedule, self.fail_to_rename, self.repeat, self.hide):
            for run in runs:
                edit(run)

    def run(self, course_key: str) -> CourseRun:
        return CourseRun.objects.filter(course_key=course_key).first() or CourseRun(course_key=course_key)

    def create(self, run: CourseRun) -> None:
        run.name, run.pacing, run.hidden = "A course", "instructor", False
        run.start, run.end = datetime(2026, 9, 1, tzinfo=UTC), None
        self.publish(run)

    def rename(self, run: CourseRun) -> None:
        run.name = "Büchner für Anfänger"
        self.publish(run)

    def reschedule(self, run: CourseRun) -> None:
        run.start, run.pacing = datetime(2026, 10, 5, 8, 30, tzinfo=UTC), "self"
        run.end = run.start + timedelta(days=60)
        self.publish(run)

    def hide(self, run: CourseRun) -> None:
        run.hidden = True
        self.publish(run)

    def fail_to_rename(self, run: CourseRun) -> None:
        """Roll back: of this name nobody hears."""
        try:
            with transaction.atomic():
                run.name = "A name that was never saved"
                run.publish()
                raise EditingFailed
        except EditingFailed:
            run.refresh_from_db()  # the rollback has undone the row, not the object

    def repeat(self, run: CourseRun) -> None:
        """Announce what is known already, then an older state, as if held up on its way: neither changes anything."""
        run.announce()
        past = copy(run)
        past.name, past.modified = "A name of yesterday", run.modified - timedelta(days=1)
        past.announce()

    def publish(self, run: CourseRun) -> None:
        run.publish()
        change = {
            "course_key": run.course_key,
            "name": run.name,
            "start": run.start,
            "end": run.end,
            "pacing": run.pacing,
            "hidden": run.hidden,
            "invitation_only": run.invitation_only,
            "changed_at": run.modified,
        }
        self.stdout.write(json.dumps(change, default=datetime.isoformat))
