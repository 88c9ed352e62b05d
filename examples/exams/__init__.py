"""Exams: proctored attempts and their reviews."""
