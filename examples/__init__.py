"""Services of Open edX in miniature, each a Django project of its own, and the tour that runs them."""
