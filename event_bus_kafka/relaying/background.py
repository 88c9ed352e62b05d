"""Runs calls in threads while a relay sends: one thread reads the next rows, another removes confirmed rows."""

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
    Background calls for one batch. They run one after the other, in the order in which :meth:`begin` was called.

    After a failed call no later call runs. If the removal of a row fails, the row stays in the outbox and is sent
    again. If a later call then removed a newer row of the same key, the older row would become the last record of the
    key in Kafka. A failure also stops the batch. ``len()`` is the number of calls that were begun and that :meth:`take`
    has not taken yet.
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
        """Wait until the oldest call has ended; return its result or raise its exception."""
        self._await(self._begun[0])
        return self._begun.popleft().result()

    def wait(self) -> None:
        """Wait until all calls have ended, successfully or not."""
        for call in self._begun:
            self._await(call)

    def _await(self, call: Future[Any]) -> None:
        """Wait for a call, however long the database takes, and check meanwhile whether the claim still holds."""
        while wait([call], WATCHED).not_done:
            self._batch.watch_claim()


class BackgroundThread:
    """
    A thread of a relay that runs calls in the order in which they were submitted.

    The thread is a daemon, so that a process that is forced to end does not wait for the calls. The database then rolls
    back the uncommitted changes of the calls.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=f"event-bus-relay-{name}", daemon=True)

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """
        Queue ``call`` behind all earlier calls; return a future with its result. The first call starts the thread.
        """
        if self._thread.ident is None:
            self._thread.start()
        future: Future[Any] = Future()
        self._calls.put((future, call))
        return future

    @contextmanager
    def serving(self, batch: Batch) -> Iterator[PendingCalls]:
        """
        Yield a :class:`PendingCalls` for ``batch``. The end of the ``with`` block waits for all calls. If the block
        itself raised no exception, its end raises the exception of the first failed call.
        """
        calls = PendingCalls(self, batch)
        try:
            yield calls
        finally:
            calls.wait()  # the calls use the connection, so the claim must not end before them
        while calls:
            calls.take()

    def stop(self) -> None:
        """End the thread after it has run all submitted calls."""
        if self._thread.ident is not None:
            self._calls.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (next_one := self._calls.get()) is not None:
            future, call = next_one
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 # take() raises it
                future.set_exception(error)
