"""Planned trials: predictions, MAP priors and operating characteristics."""
