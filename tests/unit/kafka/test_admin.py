"""An admin client may be garbage-collected in any thread."""

from __future__ import annotations

import subprocess
import sys

from event_bus_kafka.sandbox import Sandbox
from tests.projects.process import ROOT

COLLECTS_A_CLIENT_IN_ITS_OWN_THREAD = """
import gc, sys, threading
from event_bus_kafka.kafka.admin import Admin

is_unused, is_collected = threading.Event(), threading.Event()

def collect(answer):
    is_unused.wait()
    gc.collect()
    is_collected.set()

gc.disable()
admin = Admin({"bootstrap.servers": sys.argv[1]})
admin._client.list_consumer_groups().add_done_callback(collect)
cycle = [admin]
cycle.append(cycle)
del admin, cycle
is_unused.set()
assert is_collected.wait(60)
"""


def test_a_process_survives_if_a_client_is_garbage_collected_in_a_thread_of_librdkafka(sandbox: Sandbox) -> None:
    """If a client were destroyed in a thread of librdkafka, librdkafka would abort the process."""
    command = [sys.executable, "-c", COLLECTS_A_CLIENT_IN_ITS_OWN_THREAD, sandbox.bootstrap_servers]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
