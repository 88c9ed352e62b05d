"""Calls the receivers of an event, and decides whether to call them again after a failure."""
