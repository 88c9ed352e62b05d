"""
Runs several threads, of which only one at a time executes a line. A seed decides which thread continues.

The code under test is not changed: a trace function may stop a thread before any line of the given files. So every
interleaving of these lines can occur, and the same seed repeats the same interleaving.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from random import Random
from types import FrameType
from typing import Any

_STUCK = 30.0
"""Number of seconds after which a thread stops waiting for its turn and raises an exception."""


class Stuck(Exception):
    """A thread raises this exception if it gets no turn for ``_STUCK`` seconds, or if another thread has failed."""


class Interleaving:
    """Runs tasks until all tasks have ended. Their threads may alternate at each line of ``files``."""

    def __init__(self, random: Random, files: Collection[str], *, switch: float = 0.3) -> None:
        self._random = random
        self._files = frozenset(files)
        self._switch = switch
        self._turns: dict[threading.Thread, threading.Semaphore] = {}
        self._idle: set[threading.Thread] = set()
        self._errors: list[BaseException] = []
        self._over = threading.Event()

    def run(self, *tasks: Callable[[], None]) -> None:
        """Run all tasks. If tasks raise exceptions, raise the first of these exceptions."""
        threads = [threading.Thread(target=self._task, args=(task,), daemon=True) for task in tasks]
        self._turns = {thread: threading.Semaphore(0) for thread in threads}
        for thread in threads:
            thread.start()
        self._turns[threads[0]].release()
        for thread in threads:
            thread.join(2 * _STUCK)
        if self._errors:
            raise self._errors[0]

    def give_way(self) -> None:
        """Let another task continue, and wait for a turn. Return at once if all others are idle or have ended."""
        me = threading.current_thread()
        others = [thread for thread in self._turns if thread is not me and thread not in self._idle]
        if others:
            self._turns[self._random.choice(others)].release()
            self._await_turn(me)

    def idle(self) -> None:
        """
        Wait until another task calls :meth:`rouse` or ends. Return at once if all others are idle or have ended.
        """
        self._idle.add(threading.current_thread())
        self.give_way()

    def rouse(self) -> None:
        """Let idle tasks continue. Tasks call this when there is new work."""
        self._idle.clear()

    def _task(self, task: Callable[[], None]) -> None:
        me = threading.current_thread()
        self._await_turn(me)
        try:
            sys.settrace(self._trace)
            task()
        except BaseException as error:  # noqa: BLE001 raised again by run()
            self._errors.append(error)
            self._over.set()
        finally:
            sys.settrace(None)
            self._turns.pop(me, None)
            self._idle.clear()
            if self._turns:
                self._turns[self._random.choice(list(self._turns))].release()

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._step if frame.f_code.co_filename in self._files else None

    def _step(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and self._random.random() < self._switch:
            self.give_way()
        return self._step

    def _await_turn(self, me: threading.Thread) -> None:
        if not self._turns[me].acquire(timeout=_STUCK):
            raise Stuck
        if self._over.is_set():
            raise Stuck


class TurnQueue:
    """A queue whose ``get`` lets other tasks continue until the queue has an item."""

    def __init__(self, interleaving: Interleaving) -> None:
        self._items: list[Any] = []
        self._interleaving = interleaving

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._interleaving.rouse()

    def get(self) -> Any:
        while not self._items:
            self._interleaving.idle()
        return self._items.pop(0)

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)
