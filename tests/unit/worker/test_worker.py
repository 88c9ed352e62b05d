"""A worker stops at a signal, exits with a code that depends on the reason of its end, and can be forced to end."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from time import monotonic, sleep

import pytest

from event_bus_kafka.errors import ConfigurationError, WorkerFailed
from event_bus_kafka.worker.worker import Worker


class Steps:
    """
    Stands in for the work of a worker. The worker runs the given steps, one step after another. ``left`` is the number
    of receivers that still run after the stop.
    """

    def __init__(self, *steps: Callable[[], None], stop: Callable[[], None] = lambda: None, left: int = 0) -> None:
        self.steps = iter(steps)
        self.left = left
        self.on_stop = stop
        self.stopped_with: float | None = None

    def step(self) -> None:
        next(self.steps)()

    def stop(self, *, timeout: float) -> int:
        self.stopped_with = timeout
        self.on_stop()
        return self.left


def run(steps: Steps) -> int:
    return Worker(steps, name="test", stop_timeout=5).run()


def send(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def fail(exit_code: int) -> Callable[[], None]:
    def step() -> None:
        raise WorkerFailed("reason", exit_code=exit_code)

    return step


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_unix_signal_stops_a_worker_with_exit_code_0(number: signal.Signals) -> None:
    steps = Steps(lambda: None, send(number))
    assert run(steps) == 0
    assert 0 < (steps.stopped_with or 0) <= 5


def test_the_time_limit_of_a_stop_starts_with_the_signal() -> None:
    """
    The watchdog starts at the signal. If a step waits for a rebalance after the signal, less time remains for the stop.
    """
    told: list[float] = []

    def wait() -> None:
        send(signal.SIGTERM)()
        while not told:
            sleep(0.01)
        sleep(0.3)

    steps = Steps(wait)
    assert Worker(steps, name="test", stop_timeout=0.2, hurry=told.append).run() == 0
    assert (told, steps.stopped_with) == ([0.2], 0.0)


def test_signal_handlers_are_restored_after_the_worker_has_ended() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run(Steps(send(signal.SIGTERM)))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_case_6_a_second_unix_signal_ends_the_worker_with_exit_code_2() -> None:
    steps = Steps(send(signal.SIGTERM), stop=send(signal.SIGINT))
    assert in_a_process(lambda: run(steps)) == 2


BUSY = """
import atexit, os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from event_bus_kafka.worker.worker import Worker

class Busy:
    def step(self):
        threads = ThreadPoolExecutor(1)
        threads.submit(time.sleep, 60)
        threading.Thread(target=time.sleep, args=(60,)).start()
        os.kill(os.getpid(), signal.SIGTERM)

    def stop(self, *, timeout):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

atexit.register(time.sleep, 60)
sys.exit(Worker(Busy(), name="busy", stop_timeout=60).run())
"""


def test_s20_a_second_signal_ends_a_process_even_if_its_threads_are_busy() -> None:
    began = monotonic()
    assert subprocess.run([sys.executable, "-c", BUSY], timeout=60).returncode == 2
    assert monotonic() - began < 20


def test_a_worker_exits_with_2_if_it_stops_with_unfinished_receivers() -> None:
    assert run(Steps(send(signal.SIGTERM), left=2)) == 2


@pytest.mark.parametrize("exit_code", [3, 4])
def test_a_worker_exits_with_the_exit_code_of_its_failure(exit_code: int) -> None:
    steps = Steps(fail(exit_code))
    assert run(steps) == exit_code
    assert steps.stopped_with == 5


def test_s19_a_worker_exits_with_1_after_a_configuration_error_in_a_step() -> None:

    def step() -> None:
        raise ConfigurationError("wrong")

    assert run(Steps(step)) == 1


def test_a_worker_logs_an_unexpected_error_and_exits_with_3(caplog: pytest.LogCaptureFixture) -> None:
    def step() -> None:
        raise RuntimeError("bug")

    assert run(Steps(step)) == 3
    assert "RuntimeError: bug" in caplog.text


def test_a_worker_logs_an_unexpected_error_during_its_stop_and_exits_with_3(caplog: pytest.LogCaptureFixture) -> None:
    def stop() -> None:
        raise RuntimeError("bug")

    assert run(Steps(send(signal.SIGTERM), stop=stop)) == 3
    assert "RuntimeError: bug" in caplog.text


def test_a_failure_during_a_stop_is_logged_unless_the_worker_failed_before(caplog: pytest.LogCaptureFixture) -> None:
    assert run(Steps(send(signal.SIGTERM), stop=fail(3))) == 3
    assert "failed to stop cleanly: reason" in caplog.text
    caplog.clear()
    assert run(Steps(fail(3), stop=fail(3))) == 3
    assert "failed to stop" not in caplog.text


def test_a_worker_can_run_outside_the_main_thread() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run(Steps(fail(4)))))
    thread.start()
    thread.join(60)
    assert codes == [4]


def test_a_unix_signal_to_a_forked_child_of_a_receiver_does_not_stop_the_worker() -> None:
    def have_a_child_terminated() -> None:
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        os.waitpid(pid, 0)

    steps = Steps(have_a_child_terminated, lambda: sleep(1.5), fail(4))
    assert in_a_process(lambda: Worker(steps, name="test", stop_timeout=-2).run()) == 4


def in_a_process(action: Callable[[], int]) -> int:
    """Run a function in a child process, because the function may end its process. Return the exit code."""
    gc.collect()  # else garbage collection in the child would destroy Kafka clients left by other tests
    pid = os.fork()
    if pid == 0:
        os._exit(action())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_worker_that_hangs_during_its_stop_exits_with_the_code_of_its_earlier_failure() -> None:
    steps = Steps(fail(4), stop=lambda: sleep(60))
    assert in_a_process(lambda: Worker(steps, name="test", stop_timeout=-2.5).run()) == 4


def test_s17_the_watchdog_ends_the_process_even_if_logging_raises(monkeypatch: pytest.MonkeyPatch) -> None:

    def leave(_: logging.LogRecord) -> bool:
        raise SystemExit(9)

    monkeypatch.setattr(logging.getLogger("event_bus_kafka.worker.watchdog"), "filters", [leave])
    steps, began = Steps(fail(4), stop=lambda: sleep(20)), monotonic()
    assert in_a_process(lambda: Worker(steps, name="test", stop_timeout=-2.5).run()) == 4
    assert monotonic() - began < 15


def test_a_first_signal_while_a_failed_worker_stops_does_not_change_the_exit_code() -> None:
    assert run(Steps(fail(4), stop=send(signal.SIGTERM))) == 4


def test_a_worker_ends_even_if_a_forked_child_of_a_receiver_still_runs() -> None:
    def leave_a_child() -> None:
        if os.fork() == 0:
            sleep(5)
            os._exit(0)

    steps = Steps(leave_a_child, fail(4))
    assert in_a_process(lambda: Worker(steps, name="test", stop_timeout=-1).run()) == 4


def seen_by_a_worker(before: str = "") -> list[tuple[bool, list[int]]]:
    """
    Run a worker in a new process, after the statement ``before``. Return three pairs: for the time before, during and
    after the worker. Each pair says whether the garbage collector has frozen objects, and contains the collector's
    thresholds.
    """
    code = f"""if True:
        import gc, json, os, signal
        from event_bus_kafka.worker.worker import Worker
        class Steps:
            def step(self):
                look()
                os.kill(os.getpid(), signal.SIGTERM)
            def stop(self, *, timeout):
                return 0
        def look():
            seen.append((gc.get_freeze_count() > 5_000, gc.get_threshold()))
        seen = []
        gc.unfreeze()
        {before}
        look()
        Worker(Steps(), name="test", stop_timeout=5).run()
        look()
        print(json.dumps(seen))
    """
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, timeout=60)
    found: list[tuple[bool, list[int]]] = json.loads(done.stdout)
    return found


def test_a_worker_freezes_objects_and_raises_the_threshold_of_the_garbage_collector_until_it_ends() -> None:
    before, meanwhile, after = seen_by_a_worker()
    assert meanwhile[0]
    assert meanwhile[1] == [10_000, *before[1][1:]]
    assert before == after
    assert not before[0]


@pytest.mark.parametrize("change", ["gc.disable()", "gc.freeze()", "gc.set_threshold(0)", "gc.set_threshold(50_000)"])
def test_garbage_collector_settings_of_the_service_are_not_overwritten(change: str) -> None:
    before, meanwhile, after = seen_by_a_worker(change)
    assert before == after
    assert meanwhile[1] == before[1]
    assert meanwhile[0] == (before[0] or "50_000" in change), "a high threshold alone does not spare old objects"


def test_a_worker_in_a_thread_does_not_change_the_thresholds_of_the_garbage_collector() -> None:
    seen: list[object] = []
    before = gc.get_threshold()
    steps = Steps(lambda: seen.append(gc.get_threshold()), fail(3))
    thread = threading.Thread(target=run, args=(steps,))
    thread.start()
    thread.join()
    assert seen == [before]
