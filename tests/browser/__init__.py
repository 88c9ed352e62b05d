"""Tests of Django's admin in a real browser."""
