"""Further analyses of the review."""
