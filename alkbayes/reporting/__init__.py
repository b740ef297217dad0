"""Report of a run for co-authors, as one HTML file or as Markdown."""
