"""Weighted means and regressions of estimates: Q, tau2, Hartung-Knapp, cluster-robust."""
