"""The jobs that celery tasks and commands run. Each job saves an object, and emits an event about this object."""

from collections.abc import Callable

from django.db import transaction

from tests.projects.certificates.apps import say
from tests.projects.lms_like.courseware.models import Certificate, Course
from tests.projects.lms_like.databases import HISTORY, REPLICA
from tests.projects.lms_like.emitting import emit
from tests.projects.lms_like.history.models import Change


def run(name: str) -> None:
    """
    Run a job and print ``name``. The last part of ``name`` is the name of the job. If the job raises an exception, also
    print the exception.
    """
    error = None
    try:
        JOBS[name.split("/")[-1]](name)
    except Exception as raised:  # noqa: BLE001 reported to the test
        error = repr(raised)
    say("ran", name=name, error=error)


def autocommit(name: str) -> None:
    Certificate.objects.create(name=name)
    emit(name)


def committed(name: str) -> None:
    with transaction.atomic():
        autocommit(name)


def rolled_back(name: str) -> None:
    with transaction.atomic():
        autocommit(name)
        transaction.set_rollback(True)


def beside_the_replica(name: str) -> None:
    """Save an object and emit its event in autocommit mode, while a transaction is open on the replica."""
    with transaction.atomic(using=REPLICA):
        Course.objects.first()
        autocommit(name)


def beside_the_history(name: str) -> None:
    with transaction.atomic(using=HISTORY):
        Change.objects.create(name=name)
        emit(name)


JOBS: dict[str, Callable[[str], None]] = {
    job.__name__: job for job in (autocommit, committed, rolled_back, beside_the_replica, beside_the_history)
}
