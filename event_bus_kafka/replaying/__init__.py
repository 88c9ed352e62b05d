"""Replay requests as workers do them: between the records of their assignment."""
