"""
``make instructions`` counts the instructions per event of this package and of the published edx-event-bus-kafka, and
computes the ratio. The command fails if the ratio is more than 5 % larger than the recorded ratio, or if no ratio is
recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.instructions.callgrind import per_event
from benchmarks.instructions.records import complaints, read, shares, write
from benchmarks.measurements import COUNTED, OURS, PUBLISHED


def counted(work: str, total: int) -> str:
    """Return the text of a file that callgrind would write about a run named ``work`` with ``total`` instructions."""
    return f"version: 1\ndesc: Trigger: Client Request: {work}\n\nevents: Ir\nfn=(1) f\n1 7\n\ntotals: {total}\n"


def record(*, encode: float = 0.1, process: float = 0.4, python: str = "3.12.1", **packages: str) -> dict[str, Any]:
    return {"shares": {"encode": encode, "process": process}, "python": python, "packages": packages}


def test_instructions_per_event_come_from_the_difference_between_runs_of_100_and_of_20_events() -> None:
    files = [
        counted("encode ours 100", 10_500),
        counted("encode ours 20", 2_500),
        counted("encode published 100", 1_000_900),
        counted("encode published 20", 200_900),
        "version: 1\ndesc: Trigger: Program termination\n\ntotals: 99\n",
    ]
    assert per_event(files) == {("encode", "ours"): 100, ("encode", "published"): 10_000}


def test_a_share_is_the_ratio_of_our_instructions_to_the_instructions_of_the_published_package() -> None:
    counts = {("encode", OURS): 90.0, ("encode", PUBLISHED): 900.0, ("process", OURS): 3.0, ("process", PUBLISHED): 8.0}
    assert shares(counts) == {"encode": 0.1, "process": 0.375}


@pytest.mark.parametrize("share", [0.05, 0.1, 0.1049])
def test_the_comparison_succeeds_with_at_most_five_percent_more_instructions_than_recorded(share: float) -> None:
    assert complaints(record(encode=share), record(encode=0.1)) == []


def test_the_comparison_fails_with_more_than_five_percent_more_instructions_than_recorded() -> None:
    (complaint,) = complaints(record(process=0.4204), record(process=0.4))
    assert complaint.startswith("process: 42.04% ")
    assert "(+5.1%; 5% are allowed)" in complaint


def test_a_failed_comparison_lists_the_versions_that_changed() -> None:
    kept = record(python="3.12.1", Django="5.2.1", attrs="26.1.0")
    _, *others = complaints(record(encode=0.2, python="3.12.4", Django="5.2.19", attrs="26.1.0"), kept)
    assert others == ["python was 3.12.1, is 3.12.4", "Django was 5.2.1, is 5.2.19"]


def test_the_comparison_fails_with_advice_if_no_value_is_recorded() -> None:
    (complaint,) = complaints(record(), None)
    assert "make instructions ARGS=--record" in complaint


def test_recording_a_value_replaces_the_value_of_only_one_python_version(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_text("{}")
    for python, share in (("3.11", 0.1), ("3.12", 0.2), ("3.11", 0.3)):
        write(record(encode=share), python, path)
    assert read(path) == {"3.11": record(encode=0.3), "3.12": record(encode=0.2)}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_python_version_has_a_recorded_value(python: str) -> None:
    assert set(read()[python]["shares"]) == set(COUNTED)
