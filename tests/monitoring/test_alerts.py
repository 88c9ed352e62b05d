"""Prometheus accepts the alert rules. Each alert fires at the expected time, and only for the expected job."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from docs.monitoring.alerts.alert import Alert
from docs.monitoring.alerts.rules import ALERTS, runbook_url
from docs.monitoring.files import FOLDER
from tests.monitoring.alert_cases import CASES, Case
from tests.services.prometheus import failures_of_rules, lint_of_rules

pytestmark = pytest.mark.real

BY_NAME = {one.name: one for alerts in ALERTS.values() for one in alerts}
RULES = FOLDER / "alerts.yml"


def unit_test(case: Case) -> dict[str, Any]:
    """Return a case in the format of promtool."""
    series = [{"series": f"event_bus_kafka_{name}", "values": values} for name, values in case.series.items()]
    firing = expected(case, BY_NAME[case.alert])
    return {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": alerts}
            for minute, alerts in ((case.silent, []), (case.fires, [firing]))
        ],
    }


def expected(case: Case, alert: Alert) -> dict[str, Any]:
    """Return the alert that must fire, with its labels and texts, in the format of promtool."""
    labels = {"job": "lms", **case.labels}

    def shown(text: str) -> str:
        text = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)
        return re.sub(r"{{ \$value( \| \w+)? }}", case.value or "no value is given", text)

    return {
        "exp_labels": labels | {"severity": alert.severity.value},
        "exp_annotations": {
            "summary": shown(alert.summary),
            "description": shown(alert.description),
            "runbook_url": runbook_url(alert),
        },
    }


def test_prometheus_accepts_the_alert_rules() -> None:
    assert lint_of_rules(RULES) == ""


def test_each_alert_has_exactly_one_test_case() -> None:
    assert sorted(case.alert for case in CASES) == sorted(BY_NAME)


def failures(folder: Path, *cases: Case) -> str:
    """Return the failures that promtool reports for these cases."""
    file = folder / "cases.yml"  # JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [unit_test(case) for case in cases]}))
    return failures_of_rules(file)


def test_promtool_confirms_when_and_for_which_job_each_alert_fires(tmp_path: Path) -> None:
    assert failures(tmp_path, *CASES) == ""


def test_promtool_reports_an_alert_that_does_not_fire_when_expected(tmp_path: Path) -> None:
    """
    The case expects the alert at a time at which the alert does not fire. promtool must report a failure. This proves
    that the test of all cases can fail.
    """
    case = next(one for one in CASES if one.alert == "EventBusOutboxOld")
    assert "EventBusOutboxOld" in failures(tmp_path, attrs.evolve(case, fires=case.silent))
