"""A worker runs together with a companion. If the worker or the companion fails, both end. The companion stops last."""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs
import pytest

from event_bus_kafka.errors import ConfigurationError, WorkerFailed
from event_bus_kafka.worker.companion import WithCompanion
from tests.support.outbox_service import until


@attrs.define
class Steps:
    on_step: Callable[[], object] = lambda: None
    on_stop: Callable[[], object] = lambda: None

    def step(self) -> None:
        self.on_step()

    def stop(self, *, timeout: float) -> int:
        self.on_stop()
        return 0


def test_the_companion_worker_runs_until_the_first_worker_has_stopped() -> None:
    emitted, sent = threading.Event(), threading.Event()
    ended: list[str] = []

    def send() -> None:
        if emitted.wait(0.01):
            sent.set()

    def emit_at_the_end() -> None:
        emitted.set()
        assert sent.wait(20), "what the first one emits while it stops is sent by nobody"
        ended.append("first")

    both = WithCompanion(Steps(on_stop=emit_at_the_end), Steps(send, lambda: ended.append("second")))
    both.step()
    assert both.stop(timeout=60) == 0
    assert ended == ["first", "second"]


@pytest.mark.parametrize("error", [WorkerFailed("it has ended", exit_code=1), ConfigurationError(), ValueError()])
def test_a_step_raises_the_error_with_which_the_companion_worker_failed(error: Exception) -> None:
    def fail() -> None:
        raise error

    both = WithCompanion(Steps(), Steps(fail))
    with pytest.raises(type(error)) as failed:
        until(lambda: False, step=both.step)
    assert failed.value is error
    assert both.stop(timeout=60) == 0


def test_s17_a_step_raises_worker_failed_if_the_companion_worker_raises_system_exit() -> None:

    def leave() -> None:
        raise SystemExit(0)

    both = WithCompanion(Steps(), Steps(leave))
    with pytest.raises(WorkerFailed, match="SystemExit") as failed:
        until(lambda: False, step=both.step)
    assert failed.value.exit_code == 3
    assert both.stop(timeout=60) == 0


def test_stopping_both_workers_raises_the_error_that_the_companion_worker_raises_while_it_stops() -> None:

    def fail() -> None:
        raise ValueError

    both = WithCompanion(Steps(), Steps(on_stop=fail))
    both.step()
    with pytest.raises(ValueError):  # noqa: PT011 the very error that is raised above
        both.stop(timeout=60)
