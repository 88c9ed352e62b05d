"""Runs replay requests in workers, between the records of their assignment."""
