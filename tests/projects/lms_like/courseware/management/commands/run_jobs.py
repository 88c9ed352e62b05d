"""``manage.py run_jobs PLACE/MODE/JOB …`` runs jobs, one job after another."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tests.projects.lms_like import jobs


class Command(BaseCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("jobs", nargs="+")

    def handle(self, *_: Any, **options: Any) -> None:
        for job in options["jobs"]:
            jobs.run(job)
