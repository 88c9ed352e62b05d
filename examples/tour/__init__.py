"""The tour: runs the services, lets things happen in one and looks whether the others have heard of it."""
