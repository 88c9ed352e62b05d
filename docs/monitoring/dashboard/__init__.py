"""The dashboard: rows of panels, and their layout."""
