"""Calls that have no time limit of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Bounded:
    """
    Runs calls in a thread and waits for each so many seconds at most; signals are handled meanwhile.

    A call that takes longer goes on unheard, and until it ends no other one is begun: they would pile up.
    """

    def __init__(self, name: str, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._last: Future[object] | None = None

    def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns. Raises TimeoutError, and what the call raises."""
        if self._last is not None and not self._last.done():
            raise TimeoutError
        answer: Future[T] = Future()
        self._last = answer  # type: ignore[assignment]  # whatever it returns

        def run() -> None:
            try:
                answer.set_result(call())
            except BaseException as error:  # noqa: BLE001 it is raised in the thread that waits
                answer.set_exception(error)

        threading.Thread(target=run, name=self._name, daemon=True).start()
        return answer.result(self._seconds)
