"""One pooled rate by each method, and disagreements between methods."""
