"""Reads the status of the whole bus from this service's tables, Kafka and the schema registry."""
