"""
Tests of the runbook. Each command of the runbook runs in the situation that its section describes, and must print the
documented output.
"""
