"""A page on this machine to leave cohorts out of an analysis, change its model and priors, and see what moves."""
