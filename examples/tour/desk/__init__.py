"""
Three services with failures, which ``make demo-admin`` starts. An operator sees the failures in the services' admin
sites.
"""

SERVICES = ("lms", "credentials", "exams")
WITHOUT_WORKER = "exams"
SETTINGS = "examples.tour.desk.settings"
COURSES = [f"course-v1:edX+Demo{number}+2026" for number in range(4)]
