"""
The tour of the examples (``python -m examples.tour``) plays use cases of the event bus. It calls them rows, prints
whether each row succeeds, and leaves no process running.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.projects.process import ROOT
from tests.support.scale import LONG

ROWS = ["1", "2", "3a", "3b", "4", "5", "6", "7", "8a", "8b", "8c", "8d", "8e"]
REAL_ROWS = ROWS if LONG else ["4", "8b", "8d"]
"""
The rows of the tour that also run on real servers: all rows in long runs. Row 4 needs a database that several
relays share, row 8b needs compacted topics, and row 8d needs offsets by time. The sandbox and SQLite lack these
features.
"""


@contextmanager
def demo(**environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the tour. If it still runs when the ``with`` block ends, terminate it."""
    with subprocess.Popen(
        [sys.executable, "-m", "examples.tour"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def read_until(text: str, process: subprocess.Popen[str]) -> list[str]:
    """Return the lines that a process prints up to the first line that contains ``text``."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not printed, but:\n{''.join(lines)}{process.communicate()[1]}")


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def verdicts(lines: list[str]) -> dict[str, str]:
    """Return the verdict that the tour prints for each row."""
    end = lines[lines.index("When all had been read:\n") + 1 :]
    return {found[1]: found[2] for line in end if (found := re.match(r"(\d\w?) .* (holds|WRONG)$", line))}


@pytest.mark.timeout(400)  # starts two dozen processes
def test_all_use_cases_of_the_example_tour_succeed_and_its_processes_run_until_an_interrupt() -> None:
    with demo(KEEP="1") as process:
        printed = read_until("Here you see what the workers receive", process)
        assert verdicts(printed) == dict.fromkeys(ROWS, "holds")
        assert all(len(line.rstrip()) <= 100 for line in printed[: printed.index("When all had been read:\n")])
        exports = [shlex.split(line)[1] for line in printed if line.startswith("  export ")]
        (shell,) = (line.split() for line in printed if "-m django shell" in line)
        done = "".join(line.partition(">>> ")[2] for line in printed)
        environment = os.environ | dict(export.split("=", 1) for export in exports)
        subprocess.run(shell, input=done, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        read_until("credentials         org.openedx.learning.certificate.created.v1", process)
        children = children_of(process)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 0
    assert len(children) > 12
    assert not any(child.is_running() for child in children)


@pytest.mark.real
@pytest.mark.long
@pytest.mark.timeout(600)  # starts two dozen processes, and may have to download Kafka
def test_use_cases_of_the_example_tour_succeed_on_a_real_kafka_and_mariadb() -> None:
    with demo(KAFKA="real", DATABASE="mariadb", ROWS=" ".join(REAL_ROWS)) as process:
        output, errors = process.communicate()
    assert process.returncode == 0, output + errors
    assert verdicts(output.splitlines(keepends=True)) == dict.fromkeys(REAL_ROWS, "holds")
    assert "It reads the enrolments that came after the first" in output  # the sandbox cannot look up offsets by date


def test_a_unix_signal_during_the_start_of_the_example_tour_stops_all_its_processes() -> None:
    with demo() as process:
        read_until("Starting services", process)
        while len(children := children_of(process)) < 2:  # the bus and one service
            time.sleep(0.01)
        process.terminate()
        process.communicate()
    assert process.returncode == 130
    assert not any(child.is_running() for child in children)


def test_the_example_tour_fails_and_stops_all_its_processes_if_a_worker_ends() -> None:
    with demo(KEEP="1", ROWS="3b") as process:
        read_until("Here you see what the workers receive", process)
        children = children_of(process)
        next(child for child in children if "--settings=examples.credentials.settings" in child.cmdline()).kill()
        _, errors = process.communicate()
    assert process.returncode == 1
    assert "The demo failed. credentials-worker: ended with exit code -9. The log of credentials-worker ends:" in errors
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"KAFKA": "cloud"}, "KAFKA must be one of sandbox, real, not 'cloud'.\n"),
        ({"DATABASE": "oracle"}, "DATABASE must be one of sqlite, postgresql, mariadb, not 'oracle'.\n"),
    ],
)
def test_the_example_tour_refuses_invalid_values_of_its_environment_variables(
    choice: dict[str, str], said: str
) -> None:
    with demo(**choice) as process:
        _, errors = process.communicate()
    assert (process.returncode, errors) == (1, said)
