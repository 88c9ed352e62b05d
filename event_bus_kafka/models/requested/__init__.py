"""The contents of replay requests: rows of letters, or the row of a run."""
