"""Credentials: stores the certificates, grades and programs about which the LMS and Discovery send events."""
