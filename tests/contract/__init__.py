"""Tests that Kafka and the registry behave as the package assumes. They run on the sandbox and on real servers."""
