"""Analytics: counts tracking events, of which there are more than of all other events."""
