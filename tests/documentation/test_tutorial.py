"""
A reader starts in an empty folder and copies each command of the tutorial. The reader gets the output that the tutorial
shows.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.documentation.blocks import Block, CtrlC, steps
from tests.documentation.installing import build_wheel, offline
from tests.documentation.terminal import Terminal
from tests.services.bus import RealBus

pytestmark = pytest.mark.real

PAGE = "docs/tutorial.rst"
UNTIL_CTRL_C = ("event_bus_kafka.sandbox", "consume_events")
"""Parts of commands that run until Ctrl-C."""


class Reader:
    """A reader of the tutorial, with a folder and some terminals."""

    def __init__(self, folder: Path, bus: RealBus, environment: dict[str, str], stack: ExitStack) -> None:
        self._folder = folder
        self._bus = bus
        self._environment = environment
        self._stack = stack
        self._terminals: dict[str, Terminal] = {}

    def do(self, step: Block | CtrlC) -> None:
        """Do what a step of the tutorial says."""
        match step:
            case CtrlC(terminal=number):
                self._terminal(number).press_ctrl_c()
            case Block(caption="Terminal 1, in a checkout"):
                pass  # the fixture has built the wheel
            case Block(language="bash", caption=caption, text=text):
                self._type(self._terminal(caption.removeprefix("Terminal ")), text)
            case Block(language="text", caption=caption, text=text):
                (number,) = re.findall(r"^Terminal (\d) shows$", caption)
                self._terminal(number).expect(text)
            case Block(caption="bus.json"):
                self._write("bus.json", self._addresses(step.text))
            case Block(caption=name, text=text):
                self._write(name, text)

    def _type(self, terminal: Terminal, text: str) -> None:
        for command in text.splitlines():
            if any(one in command for one in UNTIL_CTRL_C):
                terminal.start(command)
            else:
                terminal.run(command)

    def _terminal(self, number: str) -> Terminal:
        if number not in self._terminals:
            terminal = Terminal(self._folder, self._environment)
            self._terminals[number] = self._stack.enter_context(terminal)
        return self._terminals[number]

    def _addresses(self, text: str) -> str:
        """
        Return ``text``, the content of a file of the tutorial, with the addresses of the running Kafka and registry in
        place of its addresses.
        """
        assert json.loads(text).keys() == {"bootstrap_servers", "schema_registry_url"}
        return json.dumps(
            {
                "bootstrap_servers": self._bus.bootstrap_servers,
                "schema_registry_url": self._bus.schema_registry_url,
            }
        )

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)


@pytest.fixture
def reader(tmp_path: Path, real_bus: RealBus) -> Iterator[Reader]:
    programs, folder = tmp_path / "bin", tmp_path / "empty"
    programs.mkdir()
    folder.mkdir()
    (programs / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python3").chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    with ExitStack() as stack:
        yield Reader(folder, real_bus, environment | offline(build_wheel(tmp_path)), stack)


@pytest.mark.timeout(900)  # installs packages and starts a dozen processes, one after the other
def test_the_tutorial_can_be_followed_by_copy_and_paste(reader: Reader) -> None:
    for step in steps(PAGE):
        reader.do(step)
