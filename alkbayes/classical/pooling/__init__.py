"""One pooled rate by each method, and where the methods disagree."""
