"""Compares Avro schemas: differences, readers that can or cannot read, and reasons."""
