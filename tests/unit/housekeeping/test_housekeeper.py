"""
One thread runs all tasks of a housekeeper. A task that raises does not end the thread, and other tasks run between the
slices of a long task.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from time import sleep

import pytest
from django.db import OperationalError, connections
from pytest_django import DjangoDbBlocker

from event_bus_kafka.housekeeping.housekeeper import Housekeeper
from event_bus_kafka.telemetry.events import ThreadStumbled
from tests.support.outbox_service import until
from tests.support.sqlite import on_sqlite
from tests.support.watching import watched


class Turns:
    """A task that counts its runs, and raises ``error`` if one is given."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.count = 0
        self.error = error

    def __call__(self) -> None:
        self.count += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def keeper() -> Iterator[Housekeeper]:
    keeper = Housekeeper()
    yield keeper
    keeper.end(list(keeper._tasks), 0)


def test_the_housekeeping_thread_starts_with_the_first_task_and_serves_all_tasks(keeper: Housekeeper) -> None:
    keeper.finish(10)
    assert keeper._thread is None
    keeper.every(60, "First", Turns())
    first = keeper._thread
    keeper.every(60, "Second", Turns())
    assert first is not None
    assert keeper._thread is first


def test_each_task_has_a_separate_period_which_may_change(keeper: Housekeeper) -> None:
    periods = [0.001, 3_600.0]
    often, seldom = Turns(), Turns()
    keeper.every(lambda: periods[often.count >= 3], "Often", often)
    keeper.every(3_600, "Seldom", seldom)
    later = Turns()
    keeper.every(0.001, "Later", later, first_in=3_600)
    until(lambda: (often.count, seldom.count) == (3, 1))
    assert later.count == 0


def test_a_task_that_raises_is_repeated_and_other_tasks_continue(keeper: Housekeeper) -> None:
    class Odd(BaseException): ...

    failing = [Turns(OperationalError("away")), Turns(LookupError()), Turns(SystemExit()), Turns(Odd())]
    well = Turns()
    with watched(ThreadStumbled) as seen:
        for turns in (*failing, well):
            keeper.every(0.001, "It was not done", turns)
        until(lambda: all(turns.count > 3 for turns in (*failing, well)))
    assert {type(event.error) for event in seen} == {LookupError, SystemExit, Odd}


def test_a_repeated_database_error_of_a_task_is_logged_once_until_a_run_succeeds(
    keeper: Housekeeper, caplog: pytest.LogCaptureFixture
) -> None:
    turns = Turns(OperationalError(2006, "Server has gone away"))
    keeper.every(0.001, "A heartbeat was not written", turns)
    until(lambda: turns.count > 3)
    told = "A heartbeat was not written; trying again later: OperationalError 2006 Server has gone away"
    assert [record.getMessage() for record in caplog.records] == [told]
    turns.error, before = None, turns.count
    until(lambda: turns.count > before + 1)
    turns.error, before = OperationalError(2006, "Server has gone away"), turns.count
    until(lambda: turns.count > before + 1)
    assert len(caplog.records) == 2


def test_other_tasks_run_between_two_slices_of_a_task(keeper: Housekeeper) -> None:
    done: list[str] = []

    def slices() -> Iterator[None]:
        for _ in range(5):
            done.append("slice")
            sleep(0.002)
            yield

    def beat() -> None:
        done.append("beat")

    begun = Event()
    keeper.every(3_600, "All wait for this", lambda: [begun.wait(10)])
    keeper.every(3_600, "Slices", slices)
    keeper.every(0.001, "Beats", beat, last=lambda: done.append("last"))
    begun.set()
    until(lambda: done.count("slice") == 5)
    keeper.finish(10)
    first = done.index("slice")
    assert "slice slice" not in " ".join(done[first : done.index("last")])


def test_the_last_run_of_a_task_comes_before_remaining_slices_of_other_tasks(keeper: Housekeeper) -> None:
    done: list[str] = []

    def slices() -> Iterator[None]:
        while "last" not in done:
            yield

    keeper.every(3_600, "Slices", slices)
    keeper.every(3_600, "Beats", Turns(), last=lambda: done.append("last"), first_in=3_600)
    keeper.finish(10)
    assert done == ["last"]
    keeper.finish(10)
    assert done == ["last", "last"], "each call of finish runs it once more"


def test_the_finish_method_waits_for_the_last_run_for_at_most_the_given_time(keeper: Housekeeper) -> None:
    hangs, go_on = Event(), Event()

    def hang() -> None:
        hangs.set()
        go_on.wait(20)

    keeper.every(3_600, "Hangs", hang)
    assert hangs.wait(30)
    done = Turns()
    keeper.every(3_600, "Beats", done, last=done, first_in=3_600)
    keeper.finish(0.01)
    assert done.count == 0
    go_on.set()
    until(lambda: done.count == 1)


def test_ending_a_task_runs_it_a_last_time_and_does_not_stop_other_tasks(keeper: Housekeeper) -> None:
    beats, last, others = Turns(), Turns(), Turns()
    task = keeper.every(0.001, "Beats", beats, last=last)
    keeper.every(0.001, "Others", others)
    until(lambda: beats.count > 1)
    keeper.end([task], 10)
    count, before = beats.count, others.count
    until(lambda: others.count > before + 3)
    assert (beats.count, last.count) == (count, 1)
    keeper.finish(10)
    assert last.count == 1


def test_connections_are_closed_while_no_task_is_due(
    keeper: Housekeeper, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    opened: list[object] = []

    def look() -> None:
        connections["kept"].ensure_connection()
        opened.append(connections["kept"])

    with django_db_blocker.unblock(), on_sqlite(tmp_path, "kept", migrated=False):
        entry = connections.settings["kept"]
        keeper.every(3_600, "Looks", look)
        until(lambda: opened)
        until(lambda: getattr(opened[0], "connection", None) is None)
        assert connections.settings["kept"] is entry
        keeper.end(list(keeper._tasks), 0)


def test_a_forked_child_has_no_tasks_of_its_parent_and_can_start_new_tasks(keeper: Housekeeper) -> None:
    parents = Turns()
    keeper.every(0.001, "Parent's", parents, last=parents)
    assert _in_child(lambda: _child(keeper, parents)) == 0


def _child(keeper: Housekeeper, parents: Turns) -> None:
    before = parents.count
    keeper.finish(10)  # the parent's thread does not exist in the child
    own = Turns()
    keeper.every(3_600, "Its own", own)
    until(lambda: own.count == 1)
    assert parents.count == before


def _in_child(function: Callable[[], None]) -> int:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            function()
            os.write(write, b"well")
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as told:
        return 0 if told.read() == b"well" else 1


def test_a_housekeeper_drops_its_tasks_if_the_process_id_has_changed(keeper: Housekeeper) -> None:
    parents = Turns()
    keeper.every(3_600, "Parent's", parents, last=parents)
    until(lambda: parents.count == 1)
    keeper._pid = -1
    keeper.finish(10)
    own = Turns()
    keeper.every(3_600, "Its own", own)
    until(lambda: own.count == 1)
    assert (parents.count, len(keeper._tasks)) == (1, 1)
    assert threading.active_count() > 1


def test_a_second_call_of_finish_during_the_last_run_of_a_task_causes_another_last_run(keeper: Housekeeper) -> None:
    """The task may add counts during its last run. Without a further run these counts would be lost."""
    begun, go_on = Event(), Event()
    lasts: list[None] = []

    def last() -> None:
        lasts.append(None)
        begun.set()
        go_on.wait(30)

    keeper.every(3_600, "Beats", Turns(), last=last, first_in=3_600)
    keeper.finish(0.01)
    assert begun.wait(30)
    ends = threading.Thread(target=keeper.finish, args=(30,))
    ends.start()
    until(lambda: keeper._tasks[0].ends == 2)
    go_on.set()
    ends.join(30)
    assert len(lasts) == 2


def test_the_function_given_to_a_housekeeper_is_called_after_each_run_and_each_slice_of_a_task() -> None:
    closed = Turns()
    keeper = Housekeeper(closed)
    keeper.every(3_600, "Pauses", Turns())
    keeper.every(3_600, "Slices", lambda: iter(range(3)))
    until(lambda: closed.count == 5)
    keeper.end(list(keeper._tasks), 0)


def test_other_connections_are_closed_even_if_closing_one_connection_fails(
    keeper: Housekeeper, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    opened: list[object] = []

    def look() -> None:
        for alias in ("first", "second"):
            connections[alias].ensure_connection()
            opened.append(connections[alias])
        connections["first"].close = refuse  # type: ignore[method-assign]

    def refuse() -> None:
        raise LookupError

    with django_db_blocker.unblock(), ExitStack() as databases:
        for alias in ("first", "second"):
            databases.enter_context(on_sqlite(tmp_path, alias, migrated=False))
        keeper.every(3_600, "Looks", look)
        until(lambda: len(opened) == 2)
        until(lambda: getattr(opened[1], "connection", None) is None)
        keeper.end(list(keeper._tasks), 0)
