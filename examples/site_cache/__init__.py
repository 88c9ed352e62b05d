"""The cache of the marketing site: pages of course runs and programs, kept current by events."""
