"""Operators' tasks with dead letters: list, replay, discard and import letters, and quarantine records."""
