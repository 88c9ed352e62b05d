"""
The tables with the work that a replay request orders: either dead letters, or one run, which replays a topic or does a
backfill.
"""
