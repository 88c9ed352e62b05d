"""``event_bus_roles`` creates groups of users. It adds missing permissions to existing groups, and removes none."""

from __future__ import annotations

import io
import json

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.test import modify_settings

from event_bus_kafka.models import Right
from event_bus_kafka.operations.roles import ROLES

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("event_bus_roles", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def rights_of(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.values_list("codename", flat=True))


def test_user_groups_are_created_once_and_only_with_the_option_apply() -> None:
    assert "event bus viewer  would be made with: view_event_bus" in run()
    assert not Group.objects.exists()
    assert "Done." in run("--apply")
    assert {name: rights_of(name) for name in ROLES} == {name: set(rights) for name, rights in ROLES.items()}
    assert "Nothing to do." in run("--apply")


def test_an_existing_group_gets_missing_permissions_and_loses_no_permission() -> None:
    run("--apply")
    viewer = Group.objects.get(name="event bus viewer")
    viewer.permissions.set(Permission.objects.filter(codename="add_group"))
    assert "event bus viewer  lacks: view_event_bus" in run("--apply")
    assert rights_of("event bus viewer") == {"add_group", "view_event_bus"}


def test_json_output_lists_the_permissions_to_add() -> None:
    told = json.loads(run("--json"))
    assert told["applied"] is False
    assert told["groups"][0] == {"group": "event bus viewer", "exists": False, "adds": ["view_event_bus"]}


def test_only_the_data_role_may_see_unmasked_event_data() -> None:
    assert [name for name, rights in ROLES.items() if Right.UNMASK in rights] == ["event bus data"]


def test_the_command_asks_to_migrate_when_permissions_are_missing() -> None:
    Permission.objects.filter(codename=Right.VIEW).delete()
    with pytest.raises(CommandError, match=r"run manage\.py migrate"):
        run("--apply")


def test_the_command_raises_without_djangos_auth_app() -> None:
    with modify_settings(INSTALLED_APPS={"remove": ["django.contrib.admin", "django.contrib.auth"]}):
        with pytest.raises(CommandError, match=r"django\.contrib\.auth"):
            run()
