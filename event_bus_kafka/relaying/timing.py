"""
Three time limits, each shorter than the next, which keep two relays from having the same row in flight.

A relay keeps the locks of its shards while a batch is in flight. It gives up the batch after ``BATCH_TIME``. If the
relay's process is frozen during this time, the records of the batch expire ``DELIVERY_TIMEOUT`` seconds after the relay
handed them to the client. Therefore the client does not send these records when the process continues.

Only after ``IDLE_TRANSACTION_TIMEOUT`` does the database end the relay's transaction and release the locks. Then
another relay sends the same rows. The frozen relay cannot send an old record after them.
"""

from __future__ import annotations

BATCH_TIME = 5.0
"""Maximum seconds that a batch may be in flight."""
CONFIRMED_WITHIN = BATCH_TIME / 2
"""
Seconds of ``BATCH_TIME`` that are reserved for confirmations. Therefore a batch takes fewer rows if Kafka is slow.
"""
DELIVERY_TIMEOUT = 10.0
"""Seconds after which a record that Kafka has not confirmed expires in the client."""
IDLE_TRANSACTION_TIMEOUT = 60
"""Seconds after which the database ends a transaction that executes no statements."""
WATCHED = 0.05
"""Seconds between two checks whether a relay still has its claim."""
