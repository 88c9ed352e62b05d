"""System checks: they report wrong configuration before it causes failures. No check contacts Kafka or the registry."""
