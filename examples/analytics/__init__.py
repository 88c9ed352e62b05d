"""Analytics: tracking events, the highest volume of all."""
