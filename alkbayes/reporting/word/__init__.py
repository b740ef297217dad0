"""Report as a document for Word: the only package that uses python-docx."""
