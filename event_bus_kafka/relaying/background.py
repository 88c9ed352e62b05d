"""Threads that read and remove rows while a relay sends others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from event_bus_kafka.relaying.batch import Batch


class PendingCalls:
    """Works for one batch: they are done in order, and none after one that failed. A failure stops the batch."""

    def __init__(self, thread: ThreadPoolExecutor, batch: Batch) -> None:
        self._thread = thread
        self._batch = batch
        self._begun: deque[Future[Any]] = deque()

    def __len__(self) -> int:
        """How many were begun and not taken."""
        return len(self._begun)

    def begin(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Have a work done, after those before."""
        before = self._begun[-1] if self._begun else None

        def do() -> Any:
            if before is not None:
                before.result()
            return work(*arguments, **named)

        begun = self._thread.submit(do)
        begun.add_done_callback(lambda done: self._batch.stop(done.exception()))
        self._begun.append(begun)

    def take(self) -> Any:
        """Wait for the first of them and return its result, or raise what made it fail."""
        return self._begun.popleft().result()

    def wait(self) -> None:
        """Wait for all of them, however they end."""
        wait(self._begun)


class BackgroundThread:
    """A thread that helps a relay."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, f"event-bus-relay-{name}")

    @contextmanager
    def serving(self, batch: Batch) -> Iterator[PendingCalls]:
        """Give a batch its calls: all have ended after the block, which raises what made one fail."""
        calls = PendingCalls(self._thread, batch)
        try:
            yield calls
        finally:
            calls.wait()  # until then the connection is theirs, and the claim must not end
        while calls:
            calls.take()

    def stop(self) -> None:
        """End the thread."""
        self._thread.shutdown()
