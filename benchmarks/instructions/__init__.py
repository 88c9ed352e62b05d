"""Counts the instructions for one event, as ratios that do not depend on the machine or its load."""
