"""Each case of docs/cases.rst has a test, and tests name no other cases."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.documentation.blocks import ROOT

LISTED = re.findall(r"^:([SC]?\d+b?): ", (ROOT / "docs/cases.rst").read_text(), re.MULTILINE)
OF_A_NAME = re.compile(r"^test_(?:case((?:_\d+b?)+)|((?:[sc]\d+_)+))")
OF_A_DOCSTRING = re.compile(r"(?<!use )\b(?:cases?|faults?) ([SC]?\d+b?(?:(?:, | and | to )[SC]?\d+b?)*)")


def named_cases() -> Iterator[str]:
    for file in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and (found := OF_A_NAME.match(node.name)):
                yield from "".join(filter(None, found.groups())).strip("_").upper().replace("B", "b").split("_")
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for cases in OF_A_DOCSTRING.findall(" ".join((ast.get_docstring(node) or "").split())):
                    yield from re.split(", | and | to ", cases)


NAMED = set(named_cases())


@pytest.mark.parametrize("case", LISTED)
def test_each_case_of_the_documented_list_has_a_test(case: str) -> None:
    assert case in NAMED


def test_each_case_number_in_a_test_name_is_in_the_documented_list() -> None:
    assert sorted(NAMED - set(LISTED)) == []
