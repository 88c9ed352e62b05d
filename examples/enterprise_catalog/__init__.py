"""The enterprise catalog: it knows which customers have a subscription, and how many licences are in use."""
