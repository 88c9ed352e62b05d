"""Generates the page "API" from the docstrings of all objects that services may import."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from textwrap import dedent, indent
from types import ModuleType
from typing import Any

import event_bus_kafka
from event_bus_kafka import asgi, errors, testing
from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.telemetry import events

_ROLE = re.compile(r":\w+(?::\w+)*:`~?([^`<]+?)`")
_SINGLE = re.compile(r"(?<![`\w:])`([^`\n]+)`(?!`)")
Members = list[tuple[str, Any]]


def exports() -> str:
    """Return the descriptions of all objects that ``event_bus_kafka`` exports, and of the wrapper for ASGI servers."""
    names = [name for name in event_bus_kafka.__all__ if not name.startswith("__")]
    return _entries(event_bus_kafka, names) + _entries(asgi, ["lifespan"])


def testing_kit() -> str:
    """Return the descriptions of all objects that ``event_bus_kafka.testing`` exports, and of the sandbox."""
    return _entries(testing, testing.__all__) + "\n".join(_described("event_bus_kafka.sandbox", "Sandbox", Sandbox))


def error_classes() -> str:
    """Return the tree of error classes, and a definition of each class."""
    tree = dedent((errors.__doc__ or "").split("\n\n")[1])
    found = _classes(errors, errors.EventBusError)
    lines = [".. code-block:: text", "", indent(tree, "   "), ""]
    return "\n".join([*lines, *(line for name, one in found for line in _definition(name, one))])


def lifecycle_events() -> str:
    """Return a definition of each lifecycle event, with its fields."""
    lines = [line for name, one in _classes(events, events.LifecycleEvent) for line in _definition(name, one)]
    return "\n".join(lines)


def _classes(module: ModuleType, base: type) -> Members:
    found = inspect.getmembers(module, lambda one: inspect.isclass(one) and issubclass(one, base) and one is not base)
    return sorted(found)


def _definition(name: str, one: type) -> Iterator[str]:
    yield f"``{name}``"
    yield indent(_rewritten(inspect.cleandoc(vars(one).get("__doc__") or "")), "   ")
    if fields := list(_fields(one)):
        yield f"\n   Fields: {'; '.join(fields)}."
    yield ""


def _fields(one: type) -> Iterator[str]:
    """Yield each field of an attrs class, with the field's docstring if it has one."""
    body = ast.parse(dedent(inspect.getsource(one))).body[0]
    assert isinstance(body, ast.ClassDef)
    for at, node in enumerate(body.body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            after = body.body[at + 1] if at + 1 < len(body.body) else None
            yield f"``{node.target.id}``" + (f" ({_lowered(after)})" if _is_text(after) else "")


def _is_text(node: ast.stmt | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _lowered(node: Any) -> str:
    text = _rewritten(" ".join(node.value.value.split()).rstrip("."))
    return text if text[:2].isupper() else text[0].lower() + text[1:]


def _entries(module: ModuleType, names: list[str]) -> str:
    return "\n".join(line for name in names for line in _described(module.__name__, name, getattr(module, name))) + "\n"


def _described(module: str, name: str, one: Any) -> Iterator[str]:
    kind = "class" if inspect.isclass(one) else "function" if inspect.isroutine(one) else "data"
    yield from (f".. py:{kind}:: {module}.{name}{_signature(one)}", "", indent(_text(one), "   "), "")
    if inspect.isclass(one):
        for member, value in vars(one).items():
            if _is_public(member, value):
                yield from _member(member, value)


def _is_public(name: str, value: Any) -> bool:
    function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    return not name.startswith("_") and (inspect.isroutine(function)) and bool(inspect.getdoc(function))


def _member(name: str, value: Any) -> Iterator[str]:
    kind = "property" if isinstance(value, property) else "method"
    shown = "" if kind == "property" else _signature(getattr(value, "__func__", value), skip_first=True)
    yield from (f"   .. py:{kind}:: {name}{shown}", "", indent(_text(value), "      "), "")


def _signature(one: Any, *, skip_first: bool = False) -> str:
    """Return the parameters with their defaults, without types; empty for exception classes and for data."""
    if not callable(one) or (inspect.isclass(one) and issubclass(one, BaseException)):
        return ""
    parameters = list(inspect.signature(one).parameters.values())[skip_first:]
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(plain)).replace("<factory>", "…")


def _text(one: Any) -> str:
    return _rewritten(inspect.getdoc(one) or "")


def _rewritten(text: str) -> str:
    """Return a docstring with literals instead of references, because the targets are not on this page."""
    return _SINGLE.sub(r"``\1``", _ROLE.sub(lambda match: f"``{match[1].rpartition('.')[2]}``", text))
