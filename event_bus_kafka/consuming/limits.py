"""The limits of a worker: for memory and for times."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """Limits of one worker; times in seconds."""

    window_records: int
    """Maximum number of records per partition that are read and not yet committed."""
    window_bytes: int
    """Maximum number of bytes of unfinished records, over all partitions of the worker."""
    commit_interval: float
    poll_timeout: float
    failure_sleep: float
    revoke_timeout: float
