"""Builds the dashboard in the format that Grafana imports."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.timeseries import Panel as TimeseriesPanel
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from docs.monitoring.alerts.rules import RUNBOOK
from docs.monitoring.dashboard.panel import Panel
from docs.monitoring.dashboard.rows import ROWS

_SOURCE = DataSourceRef("prometheus", "${datasource}")
_FULL_WIDTH = 24
_IN_A_LINE = 3


def dashboard() -> Dashboard:
    """Return the dashboard."""
    built = (
        builders.Dashboard("Event bus (Kafka)")
        .uid("event-bus-kafka")
        .description("What event_bus_kafka does in each service. The link leads to the runbook.")
        .tags(["event-bus", "kafka"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(builders.DashboardLink("Runbook").url(RUNBOOK).target_blank(True))
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("job", "Service", "event_bus_kafka_build_info"))
        .with_variable(_variable("group", "Group", 'event_bus_kafka_worker_ready{job=~"$job"}'))
        .with_variable(_variable("topic", "Topic", '{__name__=~"event_bus_kafka_(lag|outbox_depth)",job=~"$job"}'))
    )
    number = 0
    for title, panels in ROWS.items():
        built = built.with_row(builders.Row(title).id(number := number + 1))
        for panel in panels:
            built = built.with_panel(_panel(panel, number := number + 1))
    return built.build()


def _variable(name: str, label: str, series: str) -> builders.QueryVariable:
    """Return a variable. The reader chooses from the values that the label ``name`` has in ``series``."""
    everything = VariableOption(selected=True, text="All", value="$__all")
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query(f"label_values({series}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(everything)
    )


def _panel(panel: Panel, number: int) -> StatPanel | TimeseriesPanel:
    built = _stat() if panel.is_number else _timeseries()
    built = built.title(panel.title).description(panel.description).id(number).unit(panel.unit.value).min(0)
    built = built.datasource(_SOURCE).height(7 if not panel.is_number else 4)
    built = built.span(_FULL_WIDTH // (_IN_A_LINE * (1 + panel.is_number)))
    if panel.alarming_from is not None:
        steps = [Threshold(value=None, color="green"), Threshold(value=panel.alarming_from, color="red")]
        built = built.thresholds(builders.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    for letter, query in zip("ABCDEF", panel.queries, strict=False):
        target = Dataquery().ref_id(letter).expr(query.filtered).legend_format(query.legend).datasource(_SOURCE)
        built = built.with_target(target.instant() if panel.is_number else target.range())
    return built


def _stat() -> StatPanel:
    return StatPanel().reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False)).no_value("0")


def _timeseries() -> TimeseriesPanel:
    legend = VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    return TimeseriesPanel().legend(legend.show_legend(True).calcs(["lastNotNull", "max"])).fill_opacity(10)
