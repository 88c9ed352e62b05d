"""The page of outboxes, and the actions on parked rows."""
