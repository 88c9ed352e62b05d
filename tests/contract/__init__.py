"""
Tests that Kafka and the registry behave as the package assumes. Most of them run on the sandbox and on real servers.
"""
