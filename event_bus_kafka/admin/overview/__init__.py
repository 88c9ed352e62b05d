"""The overview page of Django's admin: problems, all that waits for somebody, and charts of the history."""
