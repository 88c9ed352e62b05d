"""``own_tables()`` returns a result even if a setting names a class that cannot be imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from event_bus_kafka.assembly.own_tables import own_tables


def test_dead_letters_count_as_kept_for_ever_if_their_store_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raising_store.py").write_text("raise RuntimeError('its settings lack')")
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(EVENT_BUS_KAFKA_DEAD_LETTERS="raising_store.Store"):
        assert own_tables().letters_expire is False
