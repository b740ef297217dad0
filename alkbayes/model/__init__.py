"""A model over a table as arrays: design, draws, densities; no inference library."""
