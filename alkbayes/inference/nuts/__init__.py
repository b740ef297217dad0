"""The PyMC model, compiled and sampled by nutpie. PyMC and PyTensor are imported here alone."""
