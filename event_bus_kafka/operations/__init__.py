"""What operators do by hand, as functions: first a plan, then its application. Commands are thin over them."""
