"""The alert rules, with one module for each area."""
