"""Two services with failures, and an admin site for each, where an operator sees them: ``make demo-admin``."""

SERVICES = ("lms", "credentials")
SETTINGS = "examples.tour.desk.settings"
