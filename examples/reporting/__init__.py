"""Reporting: a row for each event that it hears of."""
