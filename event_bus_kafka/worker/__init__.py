"""Runs a worker until it stops: its steps and signals, its health port, and the threads that watch it."""
