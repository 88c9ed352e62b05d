"""
Settings: their table, the options of Kafka and registry clients derived from them, and the routes of events to topics.

No other module of the package reads Django's settings.
"""
