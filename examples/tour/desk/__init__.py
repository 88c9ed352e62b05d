"""Services with trouble, and a site for each where an operator looks at it: ``make demo-admin``."""

SERVICES = ("lms", "credentials")
SETTINGS = "examples.tour.desk.settings"
