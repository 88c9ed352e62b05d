"""A terminal with a shell, like that of a reader of the documentation."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType

_SHELL = "import pty; pty.spawn(['bash', '--norc', '--noprofile'])"
_CTRL_C = "\x03"
PATIENCE = 300.0
"""Number of seconds after which a wait fails. On a busy machine an installation takes minutes."""


class Terminal:
    """A shell on a pseudo-terminal. When the terminal is closed, the programs that run in it get SIGHUP."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SHELL],
            cwd=folder,
            env=environment | {"TERM": "dumb", "PS1": "", "PS2": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._output = ""
        self._expected_up_to = 0
        self._commands = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.run("stty -echo -onlcr; PS1=; PS2=")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._reader.join()
        self._process.__exit__(kind, error, trace)

    @property
    def output(self) -> str:
        return self._output

    def start(self, command: str) -> None:
        """Type a command without waiting for its end. The command runs until Ctrl-C is pressed."""
        self._type(f"{command}\n")

    def run(self, command: str) -> None:
        """Type a command and wait until it ends. Raises :class:`AssertionError` if its exit code is not 0."""
        self._commands += 1
        self._type(f"{command}\necho [{self._commands} ended with $?]\n")
        (code,) = self._wait_for(rf"\[{self._commands} ended with (\d+)\]", 0).groups()
        assert code == "0", f"{command}\n{self._output}"

    def expect(self, text: str) -> None:
        """
        Wait until all lines of ``text`` are printed; other lines may be printed between them. ``…`` matches any text.
        The order of the lines does not matter because lanes run in parallel.
        """
        start = self._expected_up_to
        for line in text.strip().splitlines():
            pattern = ".*".join(map(re.escape, line.split("…")))
            self._expected_up_to = max(self._expected_up_to, self._wait_for(pattern, start).end())

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C to interrupt the running command, and wait until the command has ended."""
        self._type(_CTRL_C)
        self._commands += 1
        shown = f"[{self._commands} the shell is back]"
        deadline = monotonic() + PATIENCE
        while shown not in self._output:
            assert monotonic() < deadline, self._output
            self._type(f"echo {shown}\n")  # the shell discards its input while it handles the signal
            sleep(0.2)

    def _type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _wait_for(self, pattern: str, start: int) -> re.Match[str]:
        deadline = monotonic() + PATIENCE
        while not (found := re.compile(pattern).search(self._output, start)):
            assert monotonic() < deadline, f"{pattern} was not printed, but:\n{self._output}"
            sleep(0.02)
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        while text := self._process.stdout.readline():
            self._output += text
