"""HTML and Markdown renderers of a report."""
