"""
Functions for operators' tasks: one makes a plan, another applies it. Commands and admin pages call these functions.
"""
