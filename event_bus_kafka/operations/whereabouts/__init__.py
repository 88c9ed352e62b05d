"""Finds the places of an event (outbox, Kafka, dead letters, inbox), and how far groups and receivers are with it."""
