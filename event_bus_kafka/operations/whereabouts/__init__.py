"""
Finds out where an event is (outbox, Kafka, dead letters, inbox), and which groups and receivers have processed it.
"""
