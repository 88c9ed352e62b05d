"""Each command and each alert in the text of the runbook exists."""

from __future__ import annotations

import re
import shlex

import pytest
from django.core.management import load_command_class
from django.core.management.base import CommandError

from docs.monitoring.alerts.rules import ALERTS
from tests.runbook.page import TEXT, inline_commands, sections


@pytest.mark.parametrize("command", inline_commands())
def test_each_command_in_the_runbook_accepts_its_arguments(command: str) -> None:
    name, *arguments = shlex.split(command.replace("ID", "1"))
    parser = load_command_class("event_bus_kafka", name).create_parser("manage.py", name)
    try:
        parser.parse_args(arguments)
    except CommandError as error:
        pytest.fail(f"{command}: {error}")


def test_the_index_of_the_runbook_leads_to_every_section() -> None:
    index, *titles = sections()
    assert [title for title in titles if f"`{title}`_" not in sections()[index]] == []


def test_the_runbook_section_of_each_alert_names_the_alert() -> None:
    for alert in (one for alerts in ALERTS.values() for one in alerts):
        assert f"``{alert.name}``" in sections()[alert.section], alert.name


def test_the_runbook_names_exactly_the_existing_alerts() -> None:
    names = {one.name for alerts in ALERTS.values() for one in alerts}
    assert set(re.findall(r"``(EventBus\w+)``", TEXT)) == names
