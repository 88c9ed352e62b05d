"""Real Kafka, schema registry and databases, fetched, started and stopped by the tests. ``python -m tests.services``."""
