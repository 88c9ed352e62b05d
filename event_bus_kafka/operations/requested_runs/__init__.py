"""Replays of topics, and backfills, that are requested: workers do them."""
