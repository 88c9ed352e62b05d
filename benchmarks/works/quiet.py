"""What goes before a measurement."""

from __future__ import annotations

import gc

from benchmarks.measurements import Meter


def quiet_meter() -> Meter:
    """Return a meter, after the garbage collector was told to leave alone all that is there."""
    gc.collect()
    gc.freeze()  # a service has its own objects; the events made in advance must not be swept again and again
    return Meter()
