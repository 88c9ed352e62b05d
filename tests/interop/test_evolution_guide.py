"""
The rules of thumb in the guide "Changing an event" agree with the guide's tables. The other tests in this folder prove
the tables.
"""

from __future__ import annotations

import pytest

from tests.interop.changes import BACKWARD, BOTH, CHANGES, FORWARD

BY_TITLE = {change.title: change for change in CHANGES}


@pytest.mark.parametrize(
    ("title", "order", "beside_existing", "passes"),
    [
        ("A field with ``default=None`` is added", "any order", "any order", BOTH),
        ("A field with ``default=None`` is removed", "any order", "any order", BOTH),
        ("A field with another default is added", "any order", "producers first", FORWARD),
        ("A field without default is removed", "consumers first", "consumers first", BACKWARD),
        ("A required field gets ``default=None``", "consumers first", "consumers first", BACKWARD),
        ("A required field is renamed", "new event type", "new event type", frozenset()),
        ("A field with ``default=None`` is renamed (and its value lost)", "any order", "any order", BOTH),
        ("``int`` becomes ``str``, or the other way round", "new event type", "new event type", frozenset()),
        ("A class is renamed", "any order", "new event type", frozenset()),
    ],
)
def test_each_rule_of_thumb_in_the_guide_agrees_with_the_tested_schema_changes(
    title: str, order: str, beside_existing: str, passes: frozenset[str]
) -> None:
    change = BY_TITLE[title]
    assert (change.order, change.order_beside_existing, change.passes) == (order, beside_existing, passes)


def test_each_schema_change_has_a_unique_title() -> None:
    assert len(BY_TITLE) == len(CHANGES) > 25
