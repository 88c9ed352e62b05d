"""Periodic work of a process, in one thread with one database connection: heartbeats and history."""
