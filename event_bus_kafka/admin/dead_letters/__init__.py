"""The pages of Django's admin that list, search, show and discard dead letters."""
