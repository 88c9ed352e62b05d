"""
Sends the events that this service emits directly to Kafka, and spills them into the outbox if Kafka does not confirm
them.
"""
