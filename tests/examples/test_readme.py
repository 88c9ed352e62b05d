"""
The commands in the section "Without the tour" of examples/README.rst start two services, and an event of one service
reaches the other. (The tour, ``python -m examples.tour``, would start all services of the examples.)
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.projects.process import PATIENCE, ROOT

TEXT = (ROOT / "examples" / "README.rst").read_text().partition("Without the tour\n---")[2]


def command(part: str) -> list[str]:
    """
    Return the only command of the README that contains ``part``. The Python of the tests replaces the Python of the
    command.
    """
    (found,) = (line for line in re.findall(r"^   \$ \.venv/bin/python (.*)$", TEXT, re.MULTILINE) if part in line)
    return [sys.executable, *shlex.split(found)]


def run(part: str, environment: Mapping[str, str]) -> str:
    """Run the command that contains ``part``, with the input that the README shows; return its output."""
    block = TEXT.partition(f"{part}\n")[2].partition("\n\n")[0]
    typed = "".join(f"{line}\n" for line in re.findall(r"^   >>> (.*)$", block, re.MULTILINE))
    typed = re.sub(r"^(\w+\.objects\.values\(\))$", r"print(\1)", typed, flags=re.MULTILINE)  # as in a terminal
    arguments = command(part)
    done = subprocess.run(arguments, input=typed, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def exported(addresses: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment variables that the README exports, with ``addresses`` in place of the addresses that the
    README prints.
    """
    (line,) = set(re.findall(r"^   \$ export (.*)$", TEXT, re.MULTILINE))
    (printed,) = re.findall(r"^   (\{.*\})$", TEXT, re.MULTILINE)
    for name, address in json.loads(printed).items():
        line = line.replace(address, addresses[name])
    return dict(pair.split("=", 1) for pair in shlex.split(line))


@contextmanager
def started(part: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command(part), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_commands_of_the_readme_send_an_event_to_another_service_and_exit_with_0(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bus = stack.enter_context(started("event_bus_kafka.sandbox", os.environ))
        assert bus.stdout is not None
        addresses = json.loads(bus.stdout.readline())
        environment = os.environ | exported(addresses) | {"EXAMPLES_DATA": str(tmp_path)}
        for service in ("recommender", "lms"):
            run(f"migrate --settings=examples.{service}.settings", environment)
        workers = [stack.enter_context(started(one, environment)) for one in ("consume_events", "relay_events")]
        run("shell --settings=examples.lms.settings", environment)
        deadline = time.monotonic() + PATIENCE
        while "course-v1:edX+Demo+2026" not in (
            seen := run("shell --settings=examples.recommender.settings", environment)
        ):
            assert time.monotonic() < deadline, seen
        for process in (*workers, bus):
            process.terminate()
            assert process.wait(PATIENCE) == 0
