"""Real Kafka, schema registry and databases, which tests start and stop. From a shell: ``python -m tests.services``."""
