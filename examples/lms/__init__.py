"""LMS: enrolments, grades, certificates. It receives events about orders, licences, exams and the catalog."""
