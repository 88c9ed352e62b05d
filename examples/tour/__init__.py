"""
The tour: starts the services, makes events happen in some of them, and checks whether the other services received the
events.
"""
