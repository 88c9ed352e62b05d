"""Runs replay requests in workers. Replayed records take turns with records of the assigned partitions."""
