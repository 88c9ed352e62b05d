"""One worker: reads records from Kafka, schedules them by key, processes them on lanes, and commits their offsets."""
