"""
Events, Kafka records, and the conversion between them. This package does no input or output, and uses no settings or
models.
"""
