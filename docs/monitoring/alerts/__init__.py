"""Alert rules, a file per area."""
