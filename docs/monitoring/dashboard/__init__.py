"""The dashboard: rows of panels, and how they are laid out."""
