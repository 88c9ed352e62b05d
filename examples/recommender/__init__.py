"""The recommender: a service that is added a month after the others."""
