"""The tour of the examples compares values of a service with the expected values, and reports differences."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from examples.tour.scene import Row, Scene, Wrong
from examples.tour.stage import Stage


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a scene without services. Its method ``see`` checks a value only once."""
    row = Row(number="0", route="A → B", services=(), play=lambda _: None)
    return Scene(row, Stage(tmp_path, {}, Event(), real=False), patience=0)


def test_the_method_see_raises_an_error_if_the_value_differs_from_the_expected_value(scene: Scene) -> None:
    with pytest.raises(Wrong, match=r"^b: the grade: 0\.5, not 0\.75$"):
        scene.see("b", "the grade", lambda: 0.5, 0.75)


def test_a_value_is_reported_if_it_changes_after_the_first_check(scene: Scene) -> None:
    known = ["awarded"]
    scene.see("b", "the certificate", lambda: list(known), ["awarded"])
    assert scene.check_again() == []
    known.append("awarded")
    assert scene.check_again() == ["b: the certificate: ['awarded', 'awarded'], not ['awarded']"]


def test_a_value_marked_as_temporary_may_change(scene: Scene) -> None:
    known = ["awarded"]
    scene.see("b", "the certificate", lambda: list(known), ["awarded"], for_now=True)
    known.append("revoked")
    assert scene.check_again() == []


def test_the_method_see_waits_until_the_value_equals_the_expected_value(scene: Scene) -> None:
    scene.patience = 60
    coming = iter([0, 0, 1])
    scene.see("b", "the count", lambda: next(coming, 1), 1)
