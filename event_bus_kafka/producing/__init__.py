"""The direct way out: an event that this service emits becomes a record in Kafka, or is spilled into the outbox."""
