"""Runs the steps of a worker, handles signals, stops the worker, and returns the exit code."""
