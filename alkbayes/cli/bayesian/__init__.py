"""Commands of the Bayesian analysis."""
