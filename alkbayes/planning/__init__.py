"""A planned trial: predictions, MAP priors, operating characteristics."""
