"""Draws without chains: proposals, Pareto-smoothed weights, resampling."""
