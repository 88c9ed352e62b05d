"""Runs the steps of a worker: signal handlers, the stop, and the exit code."""
