"""
Settings: the one table, the client options made of them, and the routes of events to topics.

Nothing else in the package reads Django's settings.
"""
