"""The state of the whole bus, as far as this service can see it: its tables, Kafka and the registry."""
