"""The only room that talks to servers. No object of a client library leaves it."""
