"""A cluster as a whole: its topics, and the consumer groups that read them."""
