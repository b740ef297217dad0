"""Commands from a registry to a table."""
