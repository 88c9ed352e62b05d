"""Helpers that tests in several folders use. A helper that only one folder uses is in that folder."""
