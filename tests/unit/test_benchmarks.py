"""The benchmark compares its measurements, judges them by goals, and prints and plots them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import attrs
import pytest

from benchmarks.measurements import Case, Comparison, Figures, Results, Suite
from benchmarks.plan import QUICK, THOROUGH, Plan
from benchmarks.plots import pages
from benchmarks.report import as_data, as_text, comparison_rows, figure_rows, thread_rows
from benchmarks.suites import SUITES
from benchmarks.suites.logging import LOGGING

FAST, SLOW = "this package", "another <package>"


def results(*comparisons: Comparison, fast: list[Figures] | None = None) -> Results:
    """
    Return the results of two cases. By default there are three rounds, and each needs more CPU time than the round
    before, as if the machine became slower. ``fast`` contains other figures for the first case.
    """
    runs: dict[str, list[Figures]] = {
        FAST: fast or [{"cpu": 10.0}, {"cpu": 20.0}, {"cpu": 40.0}],
        SLOW: [{"cpu": 50.0, "rate": 9.0}, {"cpu": 120.0, "rate": 7.0}, {"cpu": 280.0, "rate": 8.0}],
    }
    return Results(
        suite=Suite(
            name="cost",
            about="what it costs",
            columns={"cpu": "CPU µs/event", "rate": "events/s"},
            plots=["cpu", "rate"],
            cases=[Case(name=name, work="nothing.at_all") for name in runs],
            comparisons=comparisons,
        ),
        runs=runs,
    )


def compared(**goal: float) -> Comparison:
    return Comparison(text="another ÷ ours", of=SLOW, to=FAST, figure="cpu", **goal)


def test_a_comparison_is_the_median_of_the_ratios_of_all_rounds() -> None:
    assert results().value(compared()) == 6
    uneven = results(fast=[{"cpu": 50.0}, {"cpu": 20.0}, {"cpu": 40.0}])
    assert uneven.value(compared()) == 6, "not the ratio of the medians, which is 3"


def test_the_value_of_a_comparison_without_a_second_case_is_a_median() -> None:
    assert results().value(Comparison(text="rate", of=SLOW, figure="rate", least=8)) == 8


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        ({"least": 6.0}, "≥ 6: met"),
        ({"least": 6.5}, "≥ 6.5: NOT MET"),
        ({"most": 6.0}, "≤ 6: met"),
        ({"most": 5.0}, "≤ 5: NOT MET"),
        ({}, ""),
    ],
)
def test_the_output_says_for_each_goal_whether_the_goal_is_met(goal: dict[str, float], verdict: str) -> None:
    assert comparison_rows(results(compared(**goal))) == [("another ÷ ours", "6.00", verdict)]


def test_a_row_of_figures_has_medians_and_empty_cells_for_missing_figures() -> None:
    assert figure_rows(results()) == [
        ("", "CPU µs/event", "(least–most)", "events/s"),
        (FAST, "20.0", "(10.0–40.0)", ""),
        (SLOW, "120.0", "(50.0–280.0)", "8.00"),
    ]


def test_figures_of_threads_are_in_a_separate_table() -> None:
    found = results(fast=[{"cpu": 3.0, "wakes": 5.0, "cpu: rdk:main": 1.0, "wakes: rdk:main": 2.0}])
    assert thread_rows(found)[1:] == [(FAST, "rdk:main", "1.00", "2.0")]
    assert thread_rows(results()) == []


def test_json_contains_every_run_and_both_json_and_text_contain_the_verdict_on_a_goal() -> None:
    pytest.importorskip("edx_event_bus_kafka", reason="the environment is named, with the package that is compared")
    data = json.loads(json.dumps(as_data([results(compared(least=7))], QUICK)))
    (suite,) = data["suites"]
    assert [run["cpu"] for run in suite["cases"][SLOW]["runs"]] == [50, 120, 280]
    assert suite["comparisons"] == [{"text": "another ÷ ours", "value": 6, "goal": "≥ 7", "met": False}]
    assert "another ÷ ours  6.00  ≥ 7: NOT MET" in as_text([results(compared(least=7))], QUICK)


def drawn(found: Results) -> dict[str, str]:
    pytest.importorskip("edx_event_bus_kafka", reason="the environment is named, with the package that is compared")
    data: dict[str, Any] = json.loads(json.dumps(as_data([found], QUICK)))
    return pages(data, "figures")


def test_a_plot_is_an_svg_that_has_dark_colours_a_description_and_a_bar_per_figure() -> None:
    plot = ElementTree.fromstring(drawn(results())["cost.svg"])
    svg = "{http://www.w3.org/2000/svg}"
    assert len(plot.findall(f"{svg}rect")) == 3, "one case has no rate, so it has no bar"
    words = plot.findtext(f"{svg}desc")
    assert words == "CPU µs/event: this package 20.0; another <package> 120.0. events/s: another <package> 8.00."
    assert "prefers-color-scheme: dark" in (plot.findtext(f"{svg}style") or "")


def test_pages_for_the_documentation_contain_the_plot_its_description_and_the_tables() -> None:
    files = drawn(results(compared(least=7)))
    assert ".. image:: /figures/cost.svg\n   :alt: CPU µs/event: this package 20.0;" in files["cost.rst"]
    assert "   another ÷ ours  6.00  ≥ 7: NOT MET" in files["cost.rst"]
    assert "   another ÷ ours  6.00  ≥ 7: NOT MET" in files["goals.rst"]
    assert "   packages: " in files["machine.rst"]


@pytest.mark.parametrize("plan", [QUICK, THOROUGH], ids=["quick", "thorough"])
@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
def test_a_suite_compares_and_plots_only_what_it_measures_and_fills_exactly_the_topics_it_reads(
    suite: Callable[[Plan], Suite], plan: Plan
) -> None:
    made = suite(plan)
    names = [case.name for case in made.cases]
    assert len(names) == len(set(names))
    assert {name for one in made.comparisons for name in (one.of, one.to or one.of)} <= set(names)
    used = {topic for case in made.cases for topic in (*case.reads, case.arguments.get("topic")) if topic}
    assert used == set(made.topics)
    assert set(made.plots) <= set(made.columns)


def test_each_logging_configuration_has_separate_cases_and_adds_no_goals() -> None:
    made = SUITES["cost"](attrs.evolve(QUICK, logging=tuple(LOGGING)))
    assert len(made.cases) == 6 * len(LOGGING)
    assert [one.text for one in made.comparisons if one.goal] == [one.text for one in SUITES["cost"](QUICK).comparisons]
