"""Analytics: stores tracking events, which outnumber all other events together."""
