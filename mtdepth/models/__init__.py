"""The networks: specifications, layers, and graphs built from them."""
