"""
Real servers that tests start and stop: Kafka, schema registry and databases. ``python -m tests.services`` starts the
servers from a shell.
"""
