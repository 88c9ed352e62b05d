"""A small Django service for tests that need processes: what it does is said by its environment."""
