"""All faults that ``make mutants`` tries. One that is mended somewhere gets a line here, and a test that catches it."""

from __future__ import annotations

from tests.mutants import consuming, deploying, foundations, hostile, operating, requesting, sending, telling, tracing

FAULTS = (
    *sending.FAULTS,
    *consuming.FAULTS,
    *operating.FAULTS,
    *deploying.FAULTS,
    *foundations.FAULTS,
    *hostile.FAULTS,
    *tracing.FAULTS,
    *telling.FAULTS,
    *requesting.FAULTS,
)
