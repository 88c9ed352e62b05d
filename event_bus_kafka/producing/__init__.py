"""
Sends an event that this service emits to Kafka without the outbox, or spills the event into the outbox if Kafka fails.
"""
