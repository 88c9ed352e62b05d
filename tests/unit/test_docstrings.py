"""
Nearly all docstrings of the package begin with a subject or a verb, and avoid phrases that readers must read twice.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.unit.test_layout import PACKAGE

ROOMS = sorted(one.parent.name for one in PACKAGE.glob("*/__init__.py"))
RIDDLE = re.compile(r"^(What|Of|As|Where)\b|\bso many\b|\bthat of\b|\bthose (that|of|who)\b")
MOST = 0.02


def docstrings(files: Iterable[Path]) -> Iterator[str]:
    """Yield the docstrings of modules, classes, functions and attributes."""
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            body = getattr(node, "body", None)
            for statement in body if isinstance(body, list) else []:  # a lambda's is an expression
                match statement:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield " ".join(text.split())


@pytest.mark.parametrize("pattern", ["*.py", *(f"{room}/**/*.py" for room in ROOMS)])
def test_few_docstrings_begin_with_an_incomplete_sentence_or_contain_an_obscure_phrase(pattern: str) -> None:
    texts = list(docstrings(PACKAGE.glob(pattern)))
    riddles = [text for text in texts if RIDDLE.search(text)]
    assert len(riddles) < MOST * len(texts) or not riddles, riddles
