"""Commands of the review's further analyses."""
