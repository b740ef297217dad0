"""Estimands of a posterior: pooled rates, contrasts, heterogeneity, medians, with Monte Carlo errors."""
