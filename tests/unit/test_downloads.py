"""A folder in the cache of downloads is fetched again if a file has changed. Files of bytecode do not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.downloads import fetched


def test_a_folder_is_fetched_again_if_a_file_has_changed_but_not_because_of_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    When a program imports from the folder, Python writes bytecode into the folder. Bytecode does not count as a change.
    """
    monkeypatch.setenv("EVENT_BUS_KAFKA_SERVICES_CACHE", str(tmp_path))
    times: list[Path] = []

    def fetch(folder: Path) -> None:
        times.append(folder)
        (folder / "module.py").write_text("x = 1")

    folder = fetched("package-1.2-py312", fetch)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "module.cpython-312.pyc").write_bytes(b"compiled")
    assert fetched("package-1.2-py312", fetch) == folder
    assert fetched("package-1.2-py311", fetch) != folder
    assert fetched("package-1.2-py312", fetch) == folder
    assert len(times) == 2
    (folder / "module.py").write_text("x = 2")
    fetched("package-1.2-py312", fetch)
    assert len(times) == 3
