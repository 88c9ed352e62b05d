"""Discovery: the catalog of course runs, as Studio tells of them."""
