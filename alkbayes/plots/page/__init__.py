"""A figure as a page: layout, style, marks, rows."""
