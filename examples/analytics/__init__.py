"""Analytics: counts tracking events, which outnumber all other events together."""
