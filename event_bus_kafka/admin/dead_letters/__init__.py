"""Dead letters in Django's admin: found, looked at, discarded."""
