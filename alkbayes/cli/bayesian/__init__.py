"""Bayesian analyses."""
