"""
Each code block of README and documentation is valid, as far as a test can check this without running a service.

The package validates the settings that blocks show. The parsers of the commands parse the commands, and Python runs the
imports from the package. Other tests run whole pages: the tutorial (`test_tutorial`), the README (`test_readme`), the
receivers of the guides (`test_receivers`), the README of the examples (`tests/examples/test_readme`) and the testing
kit (`tests/testing/test_documentation`).
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections import defaultdict
from typing import Any

import pytest

from docs.command_table import all_commands, parser_of
from event_bus_kafka.conf.settings import all_settings
from tests.documentation.blocks import ROOT, Block, blocks

PAGES = ["README.rst", "examples/README.rst", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.rst")))]
BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELLS = ("console", "bash", "shell")
OUTPUT = {"text", "yaml", "toml", "pycon", "sql"}
"""
Languages of blocks that contain printed output or the configuration of other programs. These blocks are not checked.
"""
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
EXTRAS = set(re.findall(r'^        "(\w+)": \[', (ROOT / "setup.py").read_text(), re.MULTILINE))
COMMANDS = {command.example.split()[0]: command for command in all_commands()}
OF_OTHERS = {"check", "migrate", "makemigrations", "shell"}
"""Names of Django's own management commands."""
PROGRAMS = {".", "cd", "curl", "export", "mkdir", "python3", "opentelemetry-instrument"}
"""Names of commands that do not belong to this package."""
WITHOUT_CHOICE = {"examples", "journey", "metrics", "operating", "tutorial"}
"""
Names of pages that need no section on when to use a feature, because these pages are for all readers or for everyone
who runs a worker.
"""


def named(languages: tuple[str, ...]) -> list[Any]:
    return [pytest.param(one, id=f"{one.page}:{one.line}") for one in BLOCKS if one.language in languages]


def test_every_code_block_is_in_a_known_language() -> None:
    assert {block.language for block in BLOCKS} <= {*SHELLS, *OUTPUT, "python", "json"}


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block, without the prompts and without the output of the commands."""
    text = block.text.replace("\\\n", " ")
    if block.language == "console":
        return re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("block", named(SHELLS))
def test_each_documented_command_exists_and_accepts_its_arguments(block: Block) -> None:
    commands = commands_of(block)
    assert commands
    for command in commands:
        check(shlex.split(command.replace("…", "").partition(" | ")[0], comments=True))


def check(words: list[str]) -> None:
    """Raise an exception if a command is not valid as the page shows it."""
    match [word.removeprefix(".venv/bin/") for word in words]:
        case ["manage.py", name, *arguments] | ["python", "manage.py", name, *arguments]:
            check_django(name, arguments)
        case ["python", "-m", "django", name, *arguments]:
            check_django(name, arguments)
        case ["make", target, *_]:
            assert target in MAKE_TARGETS
        case ["pip", "install", *packages]:
            extras = {extra for one in packages for extra in re.findall(r"^openedx-event-bus-kafka\[(\w+)\]", one)}
            assert extras <= EXTRAS
        case ["python", "-m", "event_bus_kafka.sandbox", *_] | ["pip", "wheel", *_]:
            pass
        case [program, *_]:
            assert program in PROGRAMS


def check_django(name: str, arguments: list[str]) -> None:
    if name in OF_OTHERS:
        return
    parser = parser_of(COMMANDS[name])
    parser.called_from_command_line = False  # makes the parser raise in place of exiting
    parser.parse_args(arguments)


@pytest.mark.parametrize("block", named(("json",)))
def test_each_json_block_of_the_documentation_is_valid_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", named(("python",)))
def test_documented_settings_are_valid_and_documented_imports_from_this_package_exist(block: Block) -> None:
    tree = ast.parse(block.text)
    if is_settings(tree):
        check_settings(block.text)
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("event_bus_kafka"):
            exec(compile(ast.Module([statement], []), block.page, "exec"), {})


def is_settings(tree: ast.Module) -> bool:
    """Return whether a block contains only settings. Settings are assignments to names in capital letters."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AugAssign)]
    return len(assigned) == len(tree.body) and all(
        name.id.isupper() or name.id == "function"
        for one in assigned
        for name in ast.walk(one)
        if isinstance(name, ast.Name)
    )


def check_settings(text: str) -> None:
    """Validate the value that a block shows for each setting. Raises :class:`ValueError` for an invalid value."""
    names: dict[str, Any] = {
        "EVENT_BUS_PRODUCER_CONFIG": defaultdict(lambda: defaultdict(dict)),
        "EVENT_TRACKING_BACKENDS": {"event_bus": {"OPTIONS": {}}},
        "EVENT_TYPE": "org.openedx.learning.certificate.created.v1",
        "INSTALLED_APPS": [],
        "SECRET": "secret",
    }
    exec(text, names)
    known = {one.name: one for one in all_settings()}
    for name, value in names.items():
        assert not name.startswith("EVENT_BUS_KAFKA_") or name in known, name
        if name in known:
            known[name].kind.read(value)


def test_each_guide_starts_with_a_section_on_when_to_use_the_feature() -> None:
    guides = (ROOT / "docs/index.rst").read_text().partition(":caption: Guides\n\n")[2].partition("\n\n")[0].split()
    for name in guides:
        if name not in WITHOUT_CHOICE and not name.startswith("operating/"):
            opening = " ".join((ROOT / f"docs/{name}.rst").read_text().split("\n\n")[1].split())
            assert re.match(r"\*\*Use it\*\* if .+\. \*\*(You do not need it|Do not use it)\*\* if .+\.", opening), name
