"""Numbers, names and JSON as text; no statistics."""
