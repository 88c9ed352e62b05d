"""Three services with failures. Each has an admin site, in which an operator sees the failures: ``make demo-admin``."""

SERVICES = ("lms", "credentials", "exams")
WITHOUT_WORKER = "exams"
SETTINGS = "examples.tour.desk.settings"
COURSES = [f"course-v1:edX+Demo{number}+2026" for number in range(4)]
