"""Events, Kafka records, and the conversion between them: without input or output, settings and models."""
