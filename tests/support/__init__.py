"""Helpers that tests in several folders use. A helper for a single folder is in that folder."""
