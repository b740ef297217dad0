"""Leave-one-out, influence diagnostics, shrinkage."""
