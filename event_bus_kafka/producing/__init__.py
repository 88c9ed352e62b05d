"""The way out: an event that this service emits becomes a record in Kafka."""
