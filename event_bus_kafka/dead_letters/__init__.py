"""Records that were given up: what is kept of them, and where."""
