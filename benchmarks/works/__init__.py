"""What a measured process does: each work is a function that returns figures, and runs in a process of its own."""
