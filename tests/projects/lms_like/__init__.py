"""
A Django project shaped as the LMS is: a default database, a read replica, a database of histories, all with
ATOMIC_REQUESTS; a router between them; plugins, celery, middleware. It emits from each place that the LMS emits from.
"""
