"""Limits of a worker: memory and times."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of one worker; times in seconds."""

    window_records: int
    """Per partition."""
    window_bytes: int
    """Per worker, of records that are not done."""
    commit_interval: float
    poll_timeout: float
    failure_sleep: float
    revoke_timeout: float
