"""Tests that this package and the published edx-event-bus-kafka write and read the same records."""
