"""Prepares a process for a measurement."""

from __future__ import annotations

import gc

from benchmarks.measurements import Meter


def quiet_meter() -> Meter:
    """Exclude all existing objects from garbage collection, and return a meter."""
    gc.collect()
    gc.freeze()  # real services have other objects; the events made in advance must not be collected repeatedly
    return Meter()
