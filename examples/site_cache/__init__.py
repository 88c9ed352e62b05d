"""The cache of the marketing site: pages of course runs and programs, updated by events."""
