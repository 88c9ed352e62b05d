"""What the package relies on: the same of the sandbox and of real services."""
