"""Limits of a worker: memory and times."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """Limits of one worker; times in seconds."""

    window_records: int
    """Records read and not yet committed, per partition."""
    window_bytes: int
    """Bytes of the unfinished records of all partitions of the worker."""
    commit_interval: float
    poll_timeout: float
    failure_sleep: float
    revoke_timeout: float
