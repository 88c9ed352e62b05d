"""The tour: what it shows, when it fails, and that it leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.service.process import ROOT

CERTIFICATES = "LMS → Credentials: certificates awarded and revoked"
COURSE_RUNS = "CMS → Discovery: course runs created and edited in Studio"


@contextmanager
def demo(**environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the tour. Whatever happens, its processes are gone afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "examples.demo"],
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
    """Return the lines up to the one that holds a text."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not printed, but:\n{''.join(lines)}{process.communicate()[1]}")


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.timeout(300)  # it starts everything, and may be the first to fetch Kafka
@pytest.mark.parametrize("kafka", ["sandbox", pytest.param("real", marks=pytest.mark.real)])
def test_all_arrives_in_order_and_equal(kafka: str) -> None:
    with demo(KAFKA=kafka) as process:
        output, errors = process.communicate()
    assert process.returncode == 0, output + errors
    assert f"{CERTIFICATES}        18 made, 18 arrived: in order and equal\n" in output
    assert f"{COURSE_RUNS}  12 made, 12 arrived: in order and equal\n" in output
    assert max(map(len, output.splitlines())) <= 100
    arrived = [line.split() for line in output.splitlines() if line.endswith(" ms")]
    certificates = [line[:4] for line in arrived if "course-v1:edX+Demo2+2026" in line[1]]
    assert certificates == [
        ["awarded", "course-v1:edX+Demo2+2026", "learner1", "–"],
        ["awarded", "course-v1:edX+Demo2+2026", "learner2", "0.97"],
        ["revoked", "course-v1:edX+Demo2+2026", "learner2", "0.97"],
        ["awarded", "course-v1:edX+Demo2+2026", "learner3", "–"],
        ["awarded", "course-v1:edX+Demo2+2026", "learner4", "0.97"],
        ["revoked", "course-v1:edX+Demo2+2026", "learner4", "0.97"],
    ]
    course_runs = [" ".join(line[1:-2]) for line in arrived if line[0] == "course-v1:edX+Demo2+2026"]
    assert course_runs == [
        "A course 2026-09-01 no",
        "Büchner für Anfänger 2026-09-01 no",
        "Büchner für Anfänger 2026-10-05 no",
        "Büchner für Anfänger 2026-10-05 yes",
    ]


def test_it_keeps_running_when_asked_and_shows_what_is_done_from_a_shell() -> None:
    with demo(KEEP="1") as process:
        printed = read_until("edit_course_runs", process)
        exports = [line.removeprefix("  export ").strip() for line in printed if line.startswith("  export ")]
        environment = os.environ | dict(export.split("=", 1) for export in exports)
        for command in [line.split() for line in printed if " -m django " in line]:
            subprocess.run([*command, "--courses=4"], cwd=ROOT, env=environment, check=True, capture_output=True)
        read_until("awarded  course-v1:edX+Demo4+2026  learner1", process)
        read_until("course-v1:edX+Demo4+2026  A course", process)
        children = children_of(process)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 0
    assert len(children) == 3
    assert not any(child.is_running() for child in children)


def test_a_signal_at_the_start_stops_everything() -> None:
    with demo() as process:
        read_until("Starting services", process)
        while len(children := children_of(process)) < 2:  # the bus, and a service
            time.sleep(0.01)
        process.terminate()
        process.communicate()
    assert process.returncode == 130
    assert not any(child.is_running() for child in children)


def test_a_worker_that_ends_fails_the_tour_and_stops_everything() -> None:
    with demo(KEEP="1") as process:
        read_until("edit_course_runs", process)
        children = children_of(process)
        next(child for child in children if "discovery" in child.cmdline()).kill()
        _, errors = process.communicate()
    assert process.returncode == 1
    assert "The demo failed. discovery-course-catalog-info-changed: ended with exit code -9. The log " in errors
    assert not any(child.is_running() for child in children)


def test_a_choice_that_does_not_exist_is_refused() -> None:
    with demo(KAFKA="cloud") as process:
        _, errors = process.communicate()
    assert (process.returncode, errors) == (1, "KAFKA must be one of real, sandbox, not 'cloud'.\n")
