"""Dead letters: records that were given up, and their stores."""
