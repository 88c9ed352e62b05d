"""LMS: enrolments, grades, certificates; it hears of orders, licences, exams and the catalog."""
