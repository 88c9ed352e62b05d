"""Services of Open edX in miniature, each a separate Django project, and the tour that runs them."""
