"""Credentials: keeps what the LMS says of certificates."""
