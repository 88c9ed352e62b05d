"""Discovery: the catalog. It receives course runs from Studio, and sends the catalog's changes to other services."""
