"""A synthetic event through the whole of the bus."""
