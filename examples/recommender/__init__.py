"""The recommender: in the tour, it stands for a service that is added a month after the others."""
