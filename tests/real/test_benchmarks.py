"""The benchmark runs; its figures are for people to judge, on a quiet machine."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.measurements import OPERATIONS, VARIANTS
from tests.service.process import ROOT


def test_every_variant_sends_and_consumes_all_events() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout)
    measured = {(result["operation"], result["variant"]): result for result in report["results"]}
    assert list(measured) == [(operation, variant) for operation in OPERATIONS for variant in VARIANTS]
    for result in measured.values():
        assert [run["events"] for run in result["runs"]] == [report["plan"]["events"]] * report["plan"]["rounds"]
        assert result["cpu_us_per_event"] > 0
        assert result["events_per_second"] > 0
