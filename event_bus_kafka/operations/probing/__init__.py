"""Sends a synthetic event through the whole event bus, and measures how long each part of its way takes."""
