"""Checks, exports and registers schemas during a deploy."""
