"""
Finds the places of an event (outbox, Kafka, dead letters, inbox), and which groups and receivers have processed the
event.
"""
