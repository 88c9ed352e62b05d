"""Schemas as part of a deploy."""
