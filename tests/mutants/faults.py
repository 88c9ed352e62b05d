"""
Joins the lists of faults in the other modules. ``make mutants`` inserts these faults into the package, one at a time.
Whoever corrects a bug adds it to one of the lists, and adds a test that detects it.
"""

from __future__ import annotations

from tests.mutants import (
    admin,
    consuming,
    counting,
    deploying,
    foundations,
    hostile,
    letters,
    operating,
    requesting,
    runs,
    searching,
    seeing,
    sending,
    telling,
    tracing,
)

FAULTS = (
    *admin.FAULTS,
    *consuming.FAULTS,
    *counting.FAULTS,
    *deploying.FAULTS,
    *foundations.FAULTS,
    *hostile.FAULTS,
    *letters.FAULTS,
    *operating.FAULTS,
    *requesting.FAULTS,
    *runs.FAULTS,
    *searching.FAULTS,
    *seeing.FAULTS,
    *sending.FAULTS,
    *telling.FAULTS,
    *tracing.FAULTS,
)
