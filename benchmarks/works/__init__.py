"""The code of measured processes: each work is a function that runs in a new process and returns figures."""
