"""One worker: records of Kafka are scheduled by key, processed on lanes, settled and committed."""
