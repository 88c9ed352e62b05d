"""Credentials: keeps certificates, grades and programs that the LMS and Discovery send."""
