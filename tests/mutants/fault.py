"""A fault that a good programmer might make: its place in the code, the faulty code, and the consequence for users."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs

import event_bus_kafka

PACKAGE = Path(event_bus_kafka.__file__).parent


class Stale(Exception):
    """The exception that is raised if the code that a fault replaces does not occur exactly once."""


@attrs.frozen(kw_only=True)
class Fault:
    """
    Replaces the code ``old`` by ``new`` inside ``scope``, a class or function in ``file``. If ``scope`` is empty,
    ``old`` may be anywhere in the file.

    ``old`` and ``new`` are Python statements or expressions. They are compared with the file as syntax trees, so
    comments and layout do not matter.
    """

    name: str
    file: str
    """Path of the file, relative to the package."""
    scope: str = ""
    old: str
    new: str
    harm: str
    """The consequence for users."""
    tests: tuple[str, ...] = ()
    """The tests that must detect the fault. Their paths are relative to ``tests/``."""
    real: tuple[str, ...] = ()
    """Tests with real servers that must detect the fault. They run if ``tests`` do not detect it."""

    @property
    def room(self) -> str:
        """The subpackage that contains the file."""
        return str(Path(self.file).parent)

    def source(self) -> str:
        """Return the source of the file, changed so that it contains the fault. Raises :class:`Stale`."""
        return self.applied_to((PACKAGE / self.file).read_text())

    def applied_to(self, source: str) -> str:
        """Return ``source``, changed so that it contains the fault. Raises :class:`Stale`."""
        tree = ast.parse(source)
        old, new = ast.parse(self.old).body, ast.parse(self.new).body
        ways = list(_replacements(_find(tree, self.scope), *_as_expressions(old, new)))
        if len(ways) != 1:
            raise Stale(f"{self.name}: the code to replace occurs {len(ways)} times in {self.file} {self.scope}")
        ways[0]()
        return ast.unparse(tree)


def _find(tree: ast.AST, scope: str) -> ast.AST:
    for name in filter(None, scope.split(".")):
        inner = [node for node in ast.walk(tree) if getattr(node, "name", "") == name]
        if len(inner) != 1:
            raise Stale(f"{scope} occurs {len(inner)} times in the file")
        (tree,) = inner
    return tree


def _as_expressions(old: list[ast.stmt], new: list[ast.stmt]) -> tuple[list[ast.AST], list[ast.AST]]:
    match old, new:
        case [ast.Expr(value=before)], [ast.Expr(value=after)]:
            return [before], [after]
    return [*old], [*new]


def _replacements(scope: ast.AST, old: list[ast.AST], new: list[ast.AST]) -> Iterator[Callable[[], None]]:
    """For each occurrence of ``old`` in the scope, yield a function that replaces it by ``new``."""
    sought = list(map(_dump, old))
    for node in ast.walk(scope):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                for place in (slice(index, index + len(old)) for index in range(len(value))):
                    if list(map(_dump, value[place])) == sought:
                        yield partial(value.__setitem__, place, new)
            elif [_dump(value)] == sought:
                yield partial(setattr, node, name, new[0])


def _dump(node: object) -> str:
    return ast.dump(node) if isinstance(node, ast.AST) else ""
