"""The tables of what is to be done for a replay request: its dead letters, or its run (of a topic or a backfill)."""
