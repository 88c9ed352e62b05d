"""All faults that ``make mutants`` tries. One that is mended somewhere gets a line here, and a test that catches it."""

from __future__ import annotations

from tests.mutants import (
    admin,
    consuming,
    deploying,
    foundations,
    hostile,
    letters,
    operating,
    searching,
    seeing,
    sending,
    telling,
    tracing,
)

FAULTS = (
    *sending.FAULTS,
    *consuming.FAULTS,
    *operating.FAULTS,
    *searching.FAULTS,
    *deploying.FAULTS,
    *foundations.FAULTS,
    *hostile.FAULTS,
    *tracing.FAULTS,
    *telling.FAULTS,
    *admin.FAULTS,
    *letters.FAULTS,
    *seeing.FAULTS,
)
