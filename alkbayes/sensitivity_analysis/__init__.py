"""Sensitivity analysis: alternative priors, data and models; power scaling."""
