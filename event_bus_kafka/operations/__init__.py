"""
Contains functions for operators' tasks. For most tasks, one function makes a plan and another applies the plan.
Commands and admin pages call these functions.
"""
