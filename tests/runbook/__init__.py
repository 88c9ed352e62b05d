"""The runbook: each command in it is run in the trouble that its section is about, and prints what stands there."""
