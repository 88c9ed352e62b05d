"""Calls the receivers of an event. After a failure, decides whether to call the failed receivers again."""
