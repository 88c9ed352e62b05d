"""Periodic tasks of a process, such as heartbeats and history, which share one thread and its database connections."""
