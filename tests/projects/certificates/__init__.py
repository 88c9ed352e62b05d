"""A small Django service for tests that need processes. Environment variables select its behaviour."""
