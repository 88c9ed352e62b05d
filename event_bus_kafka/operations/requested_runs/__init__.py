"""Requested runs: replays of topics, and backfills, that workers do."""
