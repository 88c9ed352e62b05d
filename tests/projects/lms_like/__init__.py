"""
A Django project that resembles the LMS. It has a default database, a read replica and a database of histories, with
ATOMIC_REQUESTS for all of them. It also has a router, a plugin, celery, and middleware. It emits events from every kind
of place from which the LMS emits events.
"""
