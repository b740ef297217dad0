"""The Python interface: data frame in, results out, each with its verdict. :mod:`alkbayes` has its functions."""
