"""The enterprise catalog: which customers have a subscription, and how many licences are in use."""
