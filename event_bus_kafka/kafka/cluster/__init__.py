"""Asks the brokers of a cluster about its topics and consumer groups."""
