"""The recommender. In the tour, it is a service that is added a month after the other services."""
