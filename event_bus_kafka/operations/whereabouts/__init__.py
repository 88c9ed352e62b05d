"""Finds an event: in the outbox, in Kafka, with which groups and receivers, or no longer there."""
