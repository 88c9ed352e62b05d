"""The pages of Django's admin that show workers, relays, consumer groups and receivers."""
