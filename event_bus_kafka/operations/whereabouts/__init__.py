"""Where is an event: in the outbox, in Kafka, with which groups and receivers, or not there any more."""
