"""
Views that save an object and emit an event about this object. A view without a decorator runs in transactions on all
databases. The decorators exclude a view from ATOMIC_REQUESTS on some databases; async views must be excluded on all.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

from tests.projects.lms_like.courseware.models import Certificate
from tests.projects.lms_like.databases import HISTORY, REPLICA
from tests.projects.lms_like.emitting import emit
from tests.projects.lms_like.history.models import Change
from tests.projects.lms_like.tasks import run_job

View = TypeVar("View", bound=Callable[..., Any])


class QueriesDisabled(Exception):
    """
    The exception of a guard against queries. Some services install a guard while they render pages, so that no page
    runs queries. Django has no such guard.
    """


def without(*aliases: str) -> Callable[[View], View]:
    """Exclude a view from ATOMIC_REQUESTS on these databases."""

    def decorate(view: View) -> View:
        for alias in aliases:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    return decorate


def name_of(request: HttpRequest) -> str:
    return request.path.strip("/")


def save_and_emit(name: str) -> None:
    Certificate.objects.create(name=name)
    emit(name)


def atomic(request: HttpRequest, **_: str) -> HttpResponse:
    save_and_emit(name_of(request))
    return HttpResponse()


def rolled_back(request: HttpRequest, **_: str) -> HttpResponse:
    save_and_emit(name_of(request))
    transaction.set_rollback(True)
    return HttpResponse()


def in_a_hook(request: HttpRequest, **_: str) -> HttpResponse:
    """
    Emit in an on-commit hook of the default database. The transaction of the default database is committed first, so
    the transactions of the other databases are still open.
    """
    name = name_of(request)
    Certificate.objects.create(name=name)
    transaction.on_commit(lambda: emit(name))
    return HttpResponse()


def guarded(request: HttpRequest, **_: str) -> HttpResponse:
    def refuse(*_: Any) -> None:
        raise QueriesDisabled

    name = name_of(request)
    Certificate.objects.create(name=name)
    with connection.execute_wrapper(refuse):
        emit(name)
    return HttpResponse()


@without("default", REPLICA, HISTORY)
def non_atomic(request: HttpRequest, **_: str) -> HttpResponse:
    save_and_emit(name_of(request))
    return HttpResponse()


@transaction.non_atomic_requests
def non_atomic_default(request: HttpRequest, **_: str) -> HttpResponse:
    save_and_emit(name_of(request))
    return HttpResponse()


@without("default", HISTORY)
def atomic_replica(request: HttpRequest, **_: str) -> HttpResponse:
    save_and_emit(name_of(request))
    return HttpResponse()


@without("default", REPLICA)
def atomic_history(request: HttpRequest, **_: str) -> HttpResponse:
    Change.objects.create(name=name_of(request))
    emit(name_of(request))
    return HttpResponse()


@without("default", REPLICA)
def rolled_back_history(request: HttpRequest, **_: str) -> HttpResponse:
    Change.objects.create(name=name_of(request))
    emit(name_of(request))
    transaction.set_rollback(True, using=HISTORY)
    return HttpResponse()


@without("default", REPLICA, HISTORY)
async def asynchronous(request: HttpRequest, **_: str) -> HttpResponse:
    await Certificate.objects.acreate(name=name_of(request))
    emit(name_of(request))
    return HttpResponse()


@without("default", REPLICA, HISTORY)
async def asynchronous_atomic(request: HttpRequest, **_: str) -> HttpResponse:
    await sync_to_async(transaction.atomic(save_and_emit))(name_of(request))
    return HttpResponse()


@without("default", REPLICA, HISTORY)
async def asynchronous_rolled_back(request: HttpRequest, **_: str) -> HttpResponse:
    def undo(name: str) -> None:
        save_and_emit(name)
        transaction.set_rollback(True)

    await sync_to_async(transaction.atomic(undo))(name_of(request))
    return HttpResponse()


def task(request: HttpRequest, **_: str) -> HttpResponse:
    """Start a celery task after the transaction of this request has committed."""
    run_job.delay_on_commit(name_of(request))
    return HttpResponse()
