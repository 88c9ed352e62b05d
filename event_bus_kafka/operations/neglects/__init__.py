"""Neglects: trouble that nobody has attended to for a while, each with its remedy."""
