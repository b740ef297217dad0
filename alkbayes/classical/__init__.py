"""Classical pooling of response rates, from the counts alone.

No module here imports a model, a sampler or a posterior: as a check on a Bayesian result these estimates must be
independent of it. Nothing is imported here either, so that who needs one interval does not wait for every method.
"""
