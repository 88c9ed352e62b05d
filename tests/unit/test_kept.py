"""
Values that are computed from untrusted texts are cached. The number of the cached texts and their length are limited.
"""

from __future__ import annotations

import pytest

from event_bus_kafka.kept import Kept, KeptSchemas


def test_a_cached_value_is_computed_only_once_per_key() -> None:
    made: list[str] = []

    def make(key: str) -> int:
        made.append(key)
        return len(key)

    kept: Kept[int] = Kept(make)
    assert [kept["abc"], kept.__getitem__("abc")] == [3, 3]
    assert made == ["abc"]


def test_c17_long_keys_are_not_cached_and_the_number_of_keys_is_limited() -> None:
    """Without these limits, records with many long names of event types would fill the memory of a worker."""
    kept: Kept[int] = Kept(len, 10)
    for number in range(100):
        kept[b"%d" % number]
    assert len(kept) <= 10
    assert kept[b"x" * 1_000_000] == 1_000_000
    assert b"x" * 1_000_000 not in kept


def test_a_value_whose_computation_fails_is_not_cached() -> None:
    kept: Kept[int] = Kept(int)
    with pytest.raises(ValueError, match="invalid"):
        kept["x"]
    assert not kept


def test_long_schemas_are_not_cached_and_the_size_of_the_cache_is_limited() -> None:
    kept: KeptSchemas[int] = KeptSchemas()
    assert kept.keep("long", 1, "x" * 50_001) == 1
    assert not kept
    for number in range(100):
        assert kept.keep(number, number, "x" * 40_000) == number
        assert sum(40_000 for _ in kept) <= 500_000
    for number in range(10_000):
        kept.keep(str(number), number, '"int"')
    assert len(kept) < 3_000, "the value made from a short schema takes more memory than the schema"
