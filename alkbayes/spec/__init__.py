"""Model files: read, checked, with every prior and its reason."""
