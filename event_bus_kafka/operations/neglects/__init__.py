"""Finds neglects: problems that have lasted for some time, each with a remedy."""
