"""
Real servers that tests start and stop: Kafka, schema registry and databases. From a shell: ``python -m
tests.services``.
"""
