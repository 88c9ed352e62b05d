"""Compares Avro schemas: differences, incompatible pairs of reader and writer, and the reasons."""
