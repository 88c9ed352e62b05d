"""Discovery: the catalog. It hears of course runs from Studio, and tells everyone of the catalog."""
