"""Requests for runs, which workers perform: replays of topics, and backfills."""
