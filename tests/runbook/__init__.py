"""
Tests of the runbook. Each of its commands runs in the situation that the command's section describes, and must print
the documented output.
"""
