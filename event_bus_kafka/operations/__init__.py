"""The operators' tasks as functions: first a plan, then its application. Commands are thin layers over them."""
