"""What a process does now and then, in one thread with one database connection."""
