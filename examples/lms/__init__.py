"""The LMS: awards and revokes certificates."""
