"""Counts the instructions for one event. The results are ratios, which do not depend on the machine or its load."""
