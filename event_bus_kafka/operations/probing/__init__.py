"""Sends a synthetic event through the whole event bus, and measures each leg of its way."""
