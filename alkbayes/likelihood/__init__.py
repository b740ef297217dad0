"""Cohort likelihoods, with the deviations integrated out or drawn."""
