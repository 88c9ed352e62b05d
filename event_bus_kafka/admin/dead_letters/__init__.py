"""Dead letters in Django's admin: list, search, detail, discard."""
