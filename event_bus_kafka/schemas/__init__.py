"""Compares Avro schemas: how two schemas differ, and whether and why one cannot read data of the other."""
