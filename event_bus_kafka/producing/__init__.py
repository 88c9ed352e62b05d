"""Sends events of this service to Kafka or into the outbox. Spills events that Kafka does not confirm."""
