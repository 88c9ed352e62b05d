"""System checks: what is configured wrongly is said before it can hurt. None of them contacts Kafka or the registry."""
