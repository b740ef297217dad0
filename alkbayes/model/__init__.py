"""A model laid over a table as arrays: design, draws and densities, independent of any inference library."""
