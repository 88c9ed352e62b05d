"""The recommender: added when the others had run for a month."""
