"""Real Kafka and a real schema registry, fetched, started and stopped by the tests. ``python -m tests.services``."""
