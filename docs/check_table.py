"""Generates the page "System checks" from the catalogue, with examples of wrong configurations and their messages."""

from __future__ import annotations

from collections.abc import Iterator
from pprint import pformat
from textwrap import indent

from event_bus_kafka.checks.catalogue import CATALOGUE
from tests.support.broken_configurations import BROKEN, Broken


def checks() -> str:
    """Return a section for each id of the catalogue."""
    return "\n".join(line for number, about in CATALOGUE.items() for line in _section(number, about))


def _section(number: str, about: str) -> Iterator[str]:
    yield from (number, "-" * len(number), "", about, "")
    for one in BROKEN:
        if one.number == number:
            yield from _example(one)


def _example(broken: Broken) -> Iterator[str]:
    yield from (".. code-block:: python", f"   :caption: {broken.title}", "", indent(_configuration(broken), "   "), "")
    message = broken.messages()[0]
    text = f"{message.msg}\n\n{message.hint}" if message.hint else message.msg
    yield from (".. code-block:: text", "", indent(_wrapped(text), "   "), "")


def _configuration(broken: Broken) -> str:
    settings = [f"{name} = {pformat(value, width=100)}" for name, value in broken.changes.items()]
    return "\n".join([*settings, *([broken.shown] if broken.shown else [])])


def _wrapped(text: str, width: int = 110) -> str:
    lines = [""]
    for word in text.replace("\n\n", " \n ").split(" "):
        if word == "\n" or len(lines[-1]) + len(word) >= width:
            lines.append("" if word == "\n" else word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return "\n".join(lines)
