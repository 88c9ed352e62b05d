"""Reporting: stores a row for each received event."""
