"""What the networks look like, as plain data that loads no framework."""
