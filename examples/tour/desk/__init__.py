"""Two services with failures, and an admin site for each, where an operator sees them: ``make demo-admin``."""

SERVICES = ("lms", "credentials", "exams")
SETTINGS = "examples.tour.desk.settings"
COURSES = [f"course-v1:edX+Demo{number}+2026" for number in range(4)]
