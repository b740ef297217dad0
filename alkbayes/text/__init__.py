"""Numbers, names and JSON as text, without statistics."""
