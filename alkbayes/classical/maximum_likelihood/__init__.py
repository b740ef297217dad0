"""Binomial-normal, beta-binomial and multilevel models by maximum likelihood."""
