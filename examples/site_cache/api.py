"""What the operators of the site do."""

from __future__ import annotations

from examples.site_cache.models import Page


def empty_cache() -> None:
    """Afterwards, ``manage.py replay_events`` writes all pages anew, from what the topics hold."""
    Page.objects.all().delete()
