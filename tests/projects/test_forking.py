"""A fork of the prepared process behaves like a newly started process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.projects.forking import OPTIONS, ROOT, ForkedProcess

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "tests.projects.certificates.settings"}
WAYS = {
    "prints": (
        "-c",
        "import sys; print(sys.argv, __name__, sys.warnoptions, sys.path[1:]); print('x', file=sys.stderr)",
    ),
    "reads": ("-c", "print(input())"),
    "exits": ("-c", "import atexit; atexit.register(print, 'exited'); raise SystemExit(3)"),
    "fails": ("-m", "django", "no_such_command"),
    "waits for its threads": ("-c", "import threading; threading.Timer(0.1, print, ['done']).start()"),
    "is killed": ("-c", "import os; os.abort()"),
    "is interrupted": ("-c", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"),
    "leaves a file open": ("-c", "file = open('/dev/null'); file = None"),
    "has its own environment": ("-c", "import os; print(sorted(os.environ.items()), os.popen('env | sort').read())"),
    "has its own time zone": ("-c", "import time; print(time.localtime(0).tm_hour)"),
}


@pytest.mark.parametrize("command", WAYS.values(), ids=WAYS)
def test_a_forked_process_has_the_same_output_and_exit_code_as_a_started_process(command: tuple[str, ...]) -> None:
    environment = ENVIRONMENT | {"TZ": "Asia/Tokyo"}
    started = subprocess.run(
        [sys.executable, *OPTIONS, *command], input="line\n", env=environment, cwd=ROOT, capture_output=True, text=True
    )
    forked = ForkedProcess(*command, environment=environment)
    with forked.stdin, forked.stdout, forked.stderr:
        with suppress(BrokenPipeError):  # the process may have ended
            os.write(forked.stdin.fileno(), b"line\n")
        assert forked.stdout.read() == started.stdout
        assert forked.stderr.read().splitlines()[-1:] == started.stderr.splitlines()[-1:]
        assert forked.wait(60) == forked.poll() == started.returncode


def test_a_forked_process_starts_without_modules_of_this_package_or_django_settings() -> None:
    code = (
        "import sys, django.conf; print(django.conf.settings.configured)\n"
        "print([name for name in sys.modules if name.startswith(('event_bus_kafka', 'tests.projects.certificates'))])"
    )
    forked = ForkedProcess("-c", code, environment=ENVIRONMENT)
    with forked.stdin, forked.stdout, forked.stderr:
        assert forked.stdout.read() == "False\n[]\n"
        assert forked.wait(60) == 0


def test_a_forked_process_can_be_awaited_with_a_timeout_and_ended_by_a_signal() -> None:
    forked = ForkedProcess("-c", "import time; time.sleep(60)", environment=ENVIRONMENT)
    with forked.stdin, forked.stdout, forked.stderr:
        with pytest.raises(subprocess.TimeoutExpired):
            forked.wait(0.1)
        assert forked.poll() is None
        forked.send_signal(signal.SIGTERM)
        assert forked.wait(60) == -signal.SIGTERM
        forked.kill()
