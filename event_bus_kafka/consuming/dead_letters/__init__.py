"""Dead letters: what was given up is stored, exactly as it came, before its offset may move."""
