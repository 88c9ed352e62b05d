"""The actions of the site's operators."""

from __future__ import annotations

from examples.site_cache.models import Page


def empty_cache() -> None:
    """Delete all pages. Afterwards ``manage.py replay_events`` writes them again from the records in the topics."""
    Page.objects.all().delete()
