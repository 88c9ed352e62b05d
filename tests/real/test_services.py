"""The servers that the tests start answer until they are stopped. No other process gets their ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.process import ServerFailed, ServerProcess, accepts, free_port

pytestmark = pytest.mark.real


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_command_for_test_servers_runs_kafka_until_it_is_stopped() -> None:
    command = [sys.executable, "-m", "tests.services", "--json", "--topic", "first"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        port = int(addresses["bootstrap_servers"].rsplit(":")[-1])
        assert accepts(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not accepts(port)


def test_the_error_contains_the_log_of_a_server_that_does_not_start(tmp_path: Path) -> None:
    server = ServerProcess([sys.executable, "-c", "print('no licence'); exit(1)"], log=tmp_path / "log")
    with pytest.raises(ServerFailed, match="no licence"):
        server.wait_until(lambda: False)
    assert not is_alive(server.pid)


def test_a_free_port_is_reserved_for_a_server() -> None:
    port = free_port()
    assert not accepts(port)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)):
        assert accepts(port)
