"""Credentials: certificates, grades and programs, as the LMS and Discovery tell of them."""
