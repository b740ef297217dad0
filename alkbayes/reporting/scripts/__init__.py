"""A run as a short script for other software: same data, same model or method, and the run's numbers beside its own."""
