"""Runs calls in a thread while a relay sends: one thread reads rows ahead, another removes confirmed ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any

from event_bus_kafka.relaying.batch import Batch
from event_bus_kafka.relaying.timing import WATCHED


class PendingCalls:
    """
    The calls of one batch, run in the order in which they were begun.

    None runs after one that failed: a key would end with an old event. A failure stops the batch. ``len`` counts the
    calls whose result was not taken yet.
    """

    def __init__(self, thread: BackgroundThread, batch: Batch) -> None:
        self._thread = thread
        self._batch = batch
        self._begun: deque[Future[Any]] = deque()

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Run ``function`` in the thread, after all calls that were begun before."""
        before = self._begun[-1] if self._begun else None

        def call() -> Any:
            if before is not None:
                before.result()
            return function(*arguments, **named)

        begun = self._thread.submit(call)
        begun.add_done_callback(lambda done: self._batch.stop(done.exception()))
        self._begun.append(begun)

    def take(self) -> Any:
        """Wait for the oldest call; return its result or raise its exception."""
        self._await(self._begun[0])
        return self._begun.popleft().result()

    def wait(self) -> None:
        """Wait until all calls have ended, successfully or not."""
        for call in self._begun:
            self._await(call)

    def _await(self, call: Future[Any]) -> None:
        """Wait, however long the database takes, and check meanwhile that the claim still holds."""
        while wait([call], WATCHED).not_done:
            self._batch.watch_claim()


class BackgroundThread:
    """
    A thread of a relay that runs calls for one batch after the other.

    It is a daemon: a process that is forced to end does not wait for its calls, and the database rolls back uncommitted
    ones.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=f"event-bus-relay-{name}", daemon=True)

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Queue a call behind the ones submitted before."""
        if self._thread.ident is None:
            self._thread.start()
        future: Future[Any] = Future()
        self._calls.put((future, call))
        return future

    @contextmanager
    def serving(self, batch: Batch) -> Iterator[PendingCalls]:
        """
        Yield the calls of ``batch``. Leaving the block waits for all of them and raises the exception of a failed one.
        """
        calls = PendingCalls(self, batch)
        try:
            yield calls
        finally:
            calls.wait()  # until then the connection is theirs, and the claim must not end
        while calls:
            calls.take()

    def stop(self) -> None:
        """End the thread."""
        if self._thread.ident is not None:
            self._calls.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (next_one := self._calls.get()) is not None:
            future, call = next_one
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 # whoever takes the result judges it
                future.set_exception(error)
