"""A cluster as a whole: its topics, and the groups that read them."""
