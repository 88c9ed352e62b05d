"""
A Django project that resembles the LMS. It has a default database, a read replica and a database of histories; all of
these have ATOMIC_REQUESTS. It also has a router, a plugin, celery, and middleware. The project emits events from every
kind of code that emits events in the LMS.
"""
