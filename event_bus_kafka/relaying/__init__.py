"""Relays send the rows of the outbox to Kafka. Imported only if the app is installed."""
