"""The tour: starts the services, makes events happen in one, and checks whether the other services received them."""
