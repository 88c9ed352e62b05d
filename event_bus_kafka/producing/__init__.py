"""Sends events of this service directly to Kafka. Spills events into the outbox if Kafka does not confirm them."""
