"""Prepares a measurement."""

from __future__ import annotations

import gc

from benchmarks.measurements import Meter


def quiet_meter() -> Meter:
    """Return a meter, after all existing objects were excluded from garbage collection."""
    gc.collect()
    gc.freeze()  # real services have other objects; the events made in advance must not be collected repeatedly
    return Meter()
