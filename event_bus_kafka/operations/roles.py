"""Creates groups of ``django.contrib.auth`` with the permissions to view and operate the event bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from django.apps import apps

from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.models import EventBus, Right

ROLES: Mapping[str, tuple[Right, ...]] = {
    "event bus viewer": (Right.VIEW,),
    "event bus operator": (Right.VIEW, Right.OPERATE, Right.DISCARD, Right.REPLAY),
    "event bus data": (Right.VIEW, Right.UNMASK),
}
"""Name of a group of users → permissions of the group."""


@attrs.frozen(kw_only=True)
class RolePlan:
    """The plan for one group of users: the permissions that it must have, and those that it lacks."""

    group: str
    exists: bool
    rights: tuple[Right, ...]
    lacks: tuple[Right, ...]
    """The permissions that would be added."""

    @property
    def is_done(self) -> bool:
        """Whether the group exists and lacks no permission."""
        return self.exists and not self.lacks

    def apply(self) -> None:
        """Create the group and add the missing permissions. Never removes a permission. Raises a database error."""
        group, _ = apps.get_model("auth", "Group")._default_manager.get_or_create(name=self.group)
        group.permissions.add(*_permissions().filter(codename__in=self.rights))


def plan_roles() -> list[RolePlan]:
    """
    Return a plan for each role. Raises :class:`ConfigurationError` if ``django.contrib.auth`` is not installed or the
    permissions are not migrated yet. Raises a database error.
    """
    if not apps.is_installed("django.contrib.auth"):
        raise ConfigurationError("Roles are groups of django.contrib.auth, which is not in INSTALLED_APPS.")
    known = set(_permissions().values_list("codename", flat=True))
    if not known.issuperset(Right):
        raise ConfigurationError("The permissions are missing: run manage.py migrate.")
    return [_plan(name, rights) for name, rights in ROLES.items()]


def _plan(name: str, rights: tuple[Right, ...]) -> RolePlan:
    group = apps.get_model("auth", "Group")._default_manager.filter(name=name).first()
    has = set(_permissions().filter(group=group).values_list("codename", flat=True)) if group else set()
    lacks = tuple(right for right in rights if right not in has)
    return RolePlan(group=name, exists=group is not None, rights=rights, lacks=lacks)


def _permissions() -> Any:
    """Return the permissions that this package defines."""
    permissions = apps.get_model("auth", "Permission")._default_manager
    return permissions.filter(
        content_type__app_label=EventBus._meta.app_label, content_type__model=EventBus._meta.model_name
    )
