"""How the tour judges a row."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from examples.tour.scene import Row, Scene, Wrong
from examples.tour.stage import Stage


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A scene that waits for nothing, on an empty stage."""
    row = Row(number="0", route="A → B", services=(), play=lambda _: None)
    return Scene(row, Stage(tmp_path, {}, Event(), real=False), patience=0)


def test_what_a_service_does_not_know_is_wrong(scene: Scene) -> None:
    with pytest.raises(Wrong, match=r"^b: the grade: 0\.5, not 0\.75$"):
        scene.see("b", "the grade", lambda: 0.5, 0.75)


def test_what_is_known_must_stay_so_and_come_once(scene: Scene) -> None:
    known = ["awarded"]
    scene.see("b", "the certificate", lambda: list(known), ["awarded"])
    assert scene.check_again() == []
    known.append("awarded")
    assert scene.check_again() == ["b: the certificate: ['awarded', 'awarded'], not ['awarded']"]


def test_what_is_so_for_now_may_change(scene: Scene) -> None:
    known = ["awarded"]
    scene.see("b", "the certificate", lambda: list(known), ["awarded"], for_now=True)
    known.append("revoked")
    assert scene.check_again() == []


def test_it_waits_for_what_comes_later(scene: Scene) -> None:
    scene.patience = 60
    coming = iter([0, 0, 1])
    scene.see("b", "the count", lambda: next(coming, 1), 1)
