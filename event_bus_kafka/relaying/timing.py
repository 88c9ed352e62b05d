"""
Three times, each well below the next, that keep two relays from having the same row in flight.

A relay holds the locks of its shards while a batch is in flight, and gives the batch up after ``BATCH_TIME``. If the
relay is frozen meanwhile, its records expire in the client ``DELIVERY_TIMEOUT`` after they were handed over, so that
none leaves when the process continues. Only after ``IDLE_TRANSACTION_TIMEOUT`` does the database end the relay's
transaction, and with it the locks: another relay then sends the same rows, and no old record can come after them.
"""

from __future__ import annotations

BATCH_TIME = 5.0
"""Seconds that a batch may be in flight."""
CONFIRMED_WITHIN = BATCH_TIME / 2
"""Seconds of ``BATCH_TIME`` that are kept for the last rows: if Kafka is slow, a batch takes fewer rows."""
DELIVERY_TIMEOUT = 10.0
"""Seconds after which a record that Kafka has not confirmed expires in the client."""
IDLE_TRANSACTION_TIMEOUT = 60
"""Seconds after which a database ends a transaction in which nothing happens."""
WATCHED = 0.05
"""Seconds between two looks whether a claim still holds."""
