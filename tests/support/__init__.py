"""Helpers that several folders of tests use; what one folder uses alone stands there."""
