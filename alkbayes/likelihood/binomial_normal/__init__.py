"""Binomial counts with normal deviations on the logit scale: the fast, exact path."""
