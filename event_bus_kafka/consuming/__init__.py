"""The way in: a record of Kafka becomes an event that this service's receivers get, and is settled."""
