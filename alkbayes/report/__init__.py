"""A run as a document for a co-author: one HTML file, or Markdown."""
