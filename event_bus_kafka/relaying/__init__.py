"""The way out of the outbox: relays send its rows to Kafka. Imported only where the app is installed."""
