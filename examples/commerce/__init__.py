"""Commerce: orders and refunds."""
