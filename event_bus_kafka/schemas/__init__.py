"""Compares Avro schemas. Finds differences, incompatible pairs of reader and writer, and the reasons."""
