"""Avro schemas beside each other: what has changed, who can read what, and why not."""
