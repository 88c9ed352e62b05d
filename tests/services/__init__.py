"""Real Kafka, schema registry and databases, started and stopped by the tests. ``python -m tests.services``."""
