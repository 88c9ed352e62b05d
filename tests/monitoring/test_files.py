"""The generated files of `docs/operating/` equal the output of `make dashboards`, and all names in them exist."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml
from docutils.nodes import make_id

from docs.monitoring.alerts.rules import ALERTS
from docs.monitoring.dashboard.panel import LABELS
from docs.monitoring.files import FOLDER, texts
from event_bus_kafka.conf.settings import all_settings
from event_bus_kafka.telemetry.metrics import CATALOGUE
from tests.projects.process import ROOT

OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that Prometheus adds to scraped series, and the label of the buckets of a histogram."""


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


def expressions() -> Iterator[tuple[str, str]]:
    """Yield the title of each panel and alert, together with each of its expressions."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def nodes(expression: str) -> list[Any]:
    """Return all nodes of an expression's syntax tree. Raises ValueError if the expression is not valid."""
    found: list[Any] = []
    promql.walk(promql.parse(expression), found.append)
    return found


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that an expression reads, with the labels of its selector."""
    for node in nodes(expression):
        selector = node.vector_selector if isinstance(node, promql.MatrixSelector) else node
        if isinstance(selector, promql.VectorSelector):
            yield selector.name or "", {one.name for one in selector.matchers.matchers}


def test_generated_files_in_the_repository_equal_the_output_of_make_dashboards() -> None:
    for name, text in texts().items():
        assert (FOLDER / name).read_text() == text, "run `make dashboards`, and commit what it has made"


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_each_expression_reads_only_metrics_and_labels_of_the_catalogue(title: str, expression: str) -> None:
    read = dict(selectors(expression))
    assert read
    for name, labels in read.items():
        assert name in LABELS, f"{title}: the catalogue has no metric {name}"
        assert labels <= {*LABELS[name], *OF_PROMETHEUS}, f"{title}: {name} has no such label"
    there = {label for name in read for label in LABELS[name]} | OF_PROMETHEUS
    for node in nodes(expression):
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= there, f"{title}: {node.modifier}"


def test_each_metric_is_on_the_dashboard() -> None:
    shown = {
        name for panel in panels() for one in panel["targets"] for name in re.findall(r"event_bus_\w+", one["expr"])
    }
    for metric in CATALOGUE:
        assert any(name.startswith(metric.name) for name in shown), metric.name


def test_legends_contain_only_labels_that_remain_after_aggregation() -> None:
    for panel in panels():
        for target in panel["targets"]:
            outermost = re.findall(r"by \((.*?)\)", target["expr"]) or [""]
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert named <= set(outermost[0].split(", ")), (panel["title"], target["legendFormat"])


def test_panels_filter_by_the_dashboard_variables_and_have_unique_ids() -> None:
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        for target in panel["targets"]:
            for name, labels in selectors(target["expr"].replace("$__rate_interval", "1m")):
                wanted = {"job", *({"group", "topic"} & {*LABELS[name]})}
                assert wanted <= labels, (panel["title"], name)
    ids = Counter(one["id"] for one in json.loads((FOLDER / "dashboard.json").read_text())["panels"])
    assert max(ids.values()) == 1


def test_alerts_link_to_existing_sections_of_the_runbook() -> None:
    titles = re.findall(r"^(.+)\n[-~]{3,}$", (ROOT / "docs" / "operating.rst").read_text(), re.MULTILINE)
    found = {make_id(title) for title in titles}
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            page, _, section = rule["annotations"]["runbook_url"].partition("#")
            assert page.endswith("/operating.html")
            assert section in found, rule["alert"]


def test_texts_of_alerts_and_panels_mention_only_existing_labels_and_settings() -> None:
    settings = {one.name for one in all_settings()}
    for alert in (one for alerts in ALERTS.values() for one in alerts):
        text = f"{alert.summary} {alert.description}"
        (kept, *_) = re.findall(r"by \((.*?)\)", alert.expression)
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= set(kept.split(", ")), alert.name
        assert set(re.findall(r"EVENT_BUS_\w+", text)) <= settings, alert.name
        assert alert.description.endswith("."), alert.name
    for panel in panels():
        assert set(re.findall(r"EVENT_BUS_\w+", panel["description"])) <= settings, panel["title"]
