"""
Tests of the runbook: each of its commands runs in the situation that its section describes, and must print the
documented output.
"""
