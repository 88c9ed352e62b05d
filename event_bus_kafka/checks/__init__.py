"""System checks: they report wrong configuration before it can hurt. None of them contacts Kafka or the registry."""
