"""A small Django service for tests that need processes. Environment variables determine its behaviour."""
