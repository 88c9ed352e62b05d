"""
A Django project that resembles the LMS: a default database, a read replica and a database of histories, all with
ATOMIC_REQUESTS; a router; plugins, celery, middleware. It emits events from all places from which the LMS emits events.
"""
