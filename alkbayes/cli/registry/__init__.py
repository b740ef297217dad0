"""Commands from a trial registry to a table, over one folder."""
