"""Services with trouble, and a site for each where an operator looks at it: ``make demo-admin``."""

SERVICES = ("lms", "credentials", "exams")
SETTINGS = "examples.tour.desk.settings"
COURSES = [f"course-v1:edX+Demo{number}+2026" for number in range(4)]
