"""Faults of the pages in Django's admin."""

from __future__ import annotations

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        name="whoever is of the staff sees the event bus",
        file="admin/pages.py",
        scope="Page._guarded",
        old="if not (Right.VIEW.is_given_to(request.user) and right.is_given_to(request.user)):\n"
        "    raise PermissionDenied",
        new="pass",
        harm="URLs that are tried directly show and do what their users may not",
        tests=("unit/admin/test_pages.py",),
    ),
)
